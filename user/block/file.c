// SPDX-License-Identifier: BSD-2-Clause
/*
 * The file driver: opening, creating, locking and closing an image, a regular file or a block
 * device. Main context. Requests: file_uring.c.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int file_open_error(const struct bdrv_file_config *config, int errnum, struct error *err)
{
	const char *path = config->path;

	switch (errnum) {
	case ENOENT:
		return error_set(err, -ENOENT,
				 "%s: No such file: create it with `truncate -s 64M %s` or give "
				 "size=64M",
				 path, path);
	case EACCES:
	case EPERM:
		return error_set(err, -errnum, "%s: %s: make it %s for this user%s", path,
				 strerror(errnum),
				 config->read_only ? "readable" : "readable and writable",
				 config->read_only ? "" : " or give read-only=on");
	case EROFS:
		return error_set(err, -EROFS, "%s: %s: give read-only=on", path, strerror(EROFS));
	default:
		return error_set(err, -errnum, "%s: cannot open: %s", path, strerror(errnum));
	}
}

/*
 * Whole-file lock on the open file description: a writer wants to be alone, readers share. QEMU's
 * locks on its images conflict with ours as they should. Released by the kernel, however we end.
 */
static int file_lock(const struct file_state *s, int fd, bool read_only, struct error *err)
{
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	int errnum;

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	errnum = errno;
	if (errnum == EAGAIN || errnum == EACCES)
		return error_set(err, -EBUSY, "%s: in use %s: stop that program, or use a copy%s",
				 s->path, read_only ? "by a writer" : "by another program",
				 read_only ? "" : ", or open it read-only everywhere");
	/* Network file systems may have none: then it is the user's care, as it is without us. */
	log_warn("%s: cannot be locked (%s): make sure nobody else writes it", s->path,
		 strerror(errnum));
	return 0;
}

static int file_create(struct file_state *s, const struct bdrv_file_config *config,
		       struct error *err)
{
	int errnum, fd;

	fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		errnum = errno;
		return error_set(err, -errnum, "%s: cannot create: %s", s->path, strerror(errnum));
	}
	if (config->create_bytes < BDRV_SECTOR_SIZE || config->create_bytes > INT64_MAX)
		errnum = EINVAL;
	else
		errnum = ftruncate(fd, config->create_bytes) < 0 ? errno : 0;
	if (errnum) {
		unlink(s->path);
		close(fd);
		return error_set(err, -errnum, "%s: cannot be made %llu bytes long: %s", s->path,
				 (unsigned long long)config->create_bytes, strerror(errnum));
	}
	return fd;
}

static int file_open(struct file_state *s, const struct bdrv_file_config *config, struct error *err)
{
	int fd;

	/* O_NONBLOCK so that a path to a FIFO is refused below instead of hanging here. */
	fd = open(s->path, (config->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		/* On file systems that cannot but wait, io_uring would fail with EAGAIN. */
		fcntl(fd, F_SETFL, 0);
		return fd;
	}
	if (errno == ENOENT && config->create_bytes > 0 && !config->read_only)
		return file_create(s, config, err);
	return file_open_error(config, errno, err);
}

static int64_t file_length(const struct file_state *s, int fd, struct error *err)
{
	uint64_t bytes;
	struct stat st;
	int errnum;

	if (fstat(fd, &st) < 0)
		goto fail;
	if (S_ISREG(st.st_mode))
		bytes = st.st_size;
	else if (!S_ISBLK(st.st_mode))
		return error_set(err, -EINVAL, "%s: neither a regular file nor a block device",
				 s->path);
	else if (ioctl(fd, BLKGETSIZE64, &bytes) < 0)
		goto fail;
	if (bytes < BDRV_SECTOR_SIZE)
		return error_set(
			err, -EINVAL,
			"%s: shorter than one sector: enlarge it with `truncate -s 64M %s`",
			s->path, s->path);
	return ROUND_DOWN(bytes, BDRV_SECTOR_SIZE);

fail:
	errnum = errno;
	return error_set(err, -errnum, "%s: cannot tell its size: %s", s->path, strerror(errnum));
}

/*
 * Alignment that O_DIRECT wants, from the kernel (6.1) or assumed as a page, which serves all.
 * Offsets are sectors at least. Where sectors do not do, requests that are no whole pages go
 * through the page cache: then a page is never written both ways at a time unless requests overlap.
 */
static int file_alignment(const struct file_state *s, int fd, unsigned int *mem, unsigned int *off,
			  struct error *err)
{
	const unsigned int page = sysconf(_SC_PAGESIZE);

	*mem = *off = page;
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) == 0 &&
	    (stx.stx_mask & STATX_DIOALIGN)) {
		if (stx.stx_dio_offset_align == 0)
			return error_set(err, -EOPNOTSUPP,
					 "%s: its file system has no O_DIRECT: use cache=writeback",
					 s->path);
		*mem = stx.stx_dio_mem_align;
		*off = stx.stx_dio_offset_align <= BDRV_SECTOR_SIZE
			       ? BDRV_SECTOR_SIZE
			       : MAX(stx.stx_dio_offset_align, page);
	}
#endif
	return 0;
}

/* fd is open without O_DIRECT: opens the same file with it, and keeps both. */
static int file_open_direct(struct BlockDriverState *bs, const struct bdrv_file_config *config,
			    int fd, struct error *err)
{
	struct file_state *s = bs->opaque;
	struct stat a, b;
	int direct, errnum, ret;

	ret = file_alignment(s, fd, &s->mem_align, &bs->request_alignment, err);
	if (ret < 0)
		return ret;
	direct = open(s->path, (config->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_DIRECT);
	if (direct < 0) {
		errnum = errno;
		return error_set(err, -errnum, "%s: cannot open with O_DIRECT: %s: %s", s->path,
				 strerror(errnum), "use cache=writeback");
	}
	if (fstat(fd, &a) < 0 || fstat(direct, &b) < 0 || a.st_ino != b.st_ino ||
	    a.st_dev != b.st_dev) {
		close(direct);
		return error_set(err, -EAGAIN, "%s: replaced while it was being opened: try again",
				 s->path);
	}
	s->fd_buffered = fd;
	s->fd = direct;
	return 0;
}

static void file_close(struct BlockDriverState *bs)
{
	struct file_state *s = bs->opaque;

	if (s->zeroes)
		munmap((void *)s->zeroes, FILE_CHUNK_BYTES);
	if (s->fd_buffered >= 0)
		close(s->fd_buffered);
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

static const struct BlockDriver file_driver = {
	.name = "file",
	.submit = file_submit,
	.close = file_close,
};

static int file_init(struct BlockDriverState *bs, const struct bdrv_file_config *config,
		     struct error *err)
{
	struct file_state *s = bs->opaque;
	int64_t length;
	void *zeroes;
	int ret;

	ret = aio_uring_setup(bs->ctx);
	if (ret < 0)
		return error_set(
			err, ret, "%s: io_uring is not to be had: %s%s", s->path, strerror(-ret),
			ret == -EPERM ? ": allow it with `sysctl kernel.io_uring_disabled=0`" : "");
	zeroes = mmap(NULL, FILE_CHUNK_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (zeroes == MAP_FAILED)
		return error_set(err, -ENOMEM, "%s: no memory to open it", s->path);
	s->zeroes = zeroes;

	s->fd = file_open(s, config, err);
	if (s->fd < 0)
		return s->fd;
	ret = file_lock(s, s->fd, config->read_only, err);
	if (ret < 0)
		return ret;
	length = file_length(s, s->fd, err);
	if (length < 0)
		return length;
	bs->length_bytes = length;
	bs->read_only = config->read_only;
	return config->direct ? file_open_direct(bs, config, s->fd, err) : 0;
}

struct BlockDriverState *bdrv_file_new(const struct bdrv_file_config *config, struct error *err)
{
	struct BlockDriverState *bs;
	struct file_state *s;

	s = calloc(1, sizeof(*s));
	if (!s)
		goto no_memory;
	s->fd = s->fd_buffered = -1;
	s->path = strdup(config->path);
	if (!s->path)
		goto no_memory;
	bs = bdrv_new(&file_driver, s, err);
	if (!bs)
		goto fail;
	if (file_init(bs, config, err) < 0) {
		bdrv_unref(bs);
		return NULL;
	}
	return bs;

no_memory:
	error_set(err, -ENOMEM, "%s: no memory to open it", config->path);
fail:
	if (s)
		free(s->path);
	free(s);
	return NULL;
}
