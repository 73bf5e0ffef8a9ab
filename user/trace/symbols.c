// SPDX-License-Identifier: BSD-2-Clause
/* See symbols.h. libdw's callbacks come back to struct symbols by the argument of
 * dwfl_attach_state, and by each module's user data. */
#include "symbols.h"

#include <dirent.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <handoff/clock.h>
#include "discover.h"
#include "stack_regs.h"

#define UNWIND_NS	 (200 * NS_PER_MS)
/* A symbol without a size is believed for so many bytes. */
#define SIZELESS_BELIEVE 4096

/* libdw looks through all symbols of a file for a name: 0.1 ms. The same callers come again. */
#define NAMES 2048
struct cached_name {
	uint64_t addr; /* 0 = free */
	bool is_return, with_offset;
	char name[REPORT_FRAME];
};

struct symbols {
	pid_t pid;
	Dwfl *dwfl;
	bool attached;
	/* one walk */
	const struct symbols_walk *walk;
	pid_t tid;
	int64_t deadline_ns;
	int memory_errno;
	char (*frame)[REPORT_FRAME];
	uint32_t n, max;
	struct cached_name cache[NAMES];
};

/* --- files ------------------------------------------------------------------------------------ */

/* The names are the process's, which may have put a FIFO or a device there: neither is opened. */
static int open_regular(const char *path)
{
	int place = open(path, O_PATH | O_CLOEXEC), fd = -1;
	char self[64];
	struct stat st;

	if (place < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
	if (!fstat(place, &st) && S_ISREG(st.st_mode))
		fd = open(self, O_RDONLY | O_CLOEXEC);
	close(place);
	return fd;
}

/* The file behind a mapping that begins at `base`, even if it was deleted or replaced since. */
static int open_mapped(pid_t pid, uint64_t base)
{
	char path[64], begin[32];
	struct dirent *e;
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/map_files", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	snprintf(begin, sizeof(begin), "%llx-", (unsigned long long)base);
	while (fd < 0 && (e = readdir(dir)))
		if (!strncmp(e->d_name, begin, strlen(begin)))
			fd = openat(dirfd(dir), e->d_name, O_RDONLY | O_CLOEXEC);
	closedir(dir);
	return fd;
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	static const char deleted[] = " (deleted)";
	struct symbols *s = *userdata;
	size_t len = strlen(name), tail = sizeof(deleted) - 1;
	char path[4200];
	int fd = -1;

	if (name[0] != '/')
		return dwfl_linux_proc_find_elf(mod, userdata, name, base, file_name, elf);
	if (s && len > tail && !strcmp(name + len - tail, deleted)) {
		fd = open_mapped(s->pid, base);
	} else if (s) {
		/* Its root may be another than ours: a container's. */
		snprintf(path, sizeof(path), "/proc/%d/root%s", (int)s->pid, name);
		fd = open_regular(path);
		if (fd < 0)
			fd = open_regular(name); /* it has ended */
	}
	if (fd >= 0)
		*file_name = strdup(name);
	return fd;
}

/* What a -dbgsym package has installed, by build id alone; libdw's own would ask the net. */
static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **out)
{
	const unsigned char *id;
	char path[256] = "/usr/lib/debug/.build-id/";
	size_t at = strlen(path);
	GElf_Addr vaddr;
	int i, n, fd;

	n = dwfl_module_build_id(mod, &id, &vaddr);
	for (i = 0; i < n && at + 16 < sizeof(path); i++)
		at += snprintf(path + at, sizeof(path) - at, "%02x%s", id[i], i ? "" : "/");
	if (n < 2)
		return -1;
	snprintf(path + at, sizeof(path) - at, ".debug");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		*out = strdup(path);
	return fd;
}

static const Dwfl_Callbacks callbacks = { .find_elf = find_elf, .find_debuginfo = find_debuginfo };

static int adopt_module(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr start,
			void *arg)
{
	*userdata = arg;
	return DWARF_CB_OK;
}

/* A process that ends has no mappings while it is still there. */
static bool has_mappings(pid_t pid)
{
	char path[64], c;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, &c, 1);
	close(fd);
	return n == 1;
}

void symbols_refresh(struct symbols *s)
{
	if (!has_mappings(s->pid))
		return;
	memset(s->cache, 0, sizeof(s->cache));
	dwfl_report_begin(s->dwfl);
	dwfl_linux_proc_report(s->dwfl, s->pid);
	dwfl_report_end(s->dwfl, NULL, NULL);
	dwfl_getmodules(s->dwfl, adopt_module, s, 0);
}

struct symbols *symbols_new(pid_t pid, char why[REPORT_TEXT])
{
	struct symbols *s = calloc(1, sizeof(*s));

	if (!s || !has_mappings(pid)) {
		snprintf(why, REPORT_TEXT, "its memory map: %s",
			 s ? strerror(errno) : strerror(ENOMEM));
		free(s);
		return NULL;
	}
	s->pid = pid;
	s->dwfl = dwfl_begin(&callbacks);
	if (!s->dwfl) {
		snprintf(why, REPORT_TEXT, "libdw: %s", dwfl_errmsg(-1));
		free(s);
		return NULL;
	}
	symbols_refresh(s);
	return s;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	dwfl_end(s->dwfl);
	free(s);
}

/* --- names ------------------------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "[vdso: 123]" is the vDSO of that process; a deleted file is called as it was. */
static int name_length(const char *name)
{
	const char *end = strstr(name, " (deleted)");

	return end ? end - name : (int)strlen(name);
}

static void find_name(struct symbols *s, uint64_t addr, bool is_return, bool with_offset, char *buf,
		      size_t size)
{
	uint64_t at = addr - is_return;
	Dwfl_Module *mod = dwfl_addrmodule(s->dwfl, at);
	const char *module, *name;
	char offset[32] = "";
	Dwarf_Addr start = 0;
	GElf_Off off = 0;
	GElf_Sym sym;

	if (!mod) {
		snprintf(buf, size, "0x%llx", (unsigned long long)addr);
		return;
	}
	module = dwfl_module_info(mod, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	module = !strncmp(module, "[vdso", 5) ? "vdso" : base_name(module);
	name = dwfl_module_addrinfo(mod, at, &off, &sym, NULL, NULL, NULL);
	if (name && !sym.st_size && off >= SIZELESS_BELIEVE)
		name = NULL;
	if (!name) {
		snprintf(buf, size, "%.*s+0x%llx", name_length(module), module,
			 (unsigned long long)(addr - start));
		return;
	}
	if (with_offset)
		snprintf(offset, sizeof(offset), "+0x%llx", (unsigned long long)(off + is_return));
	/* What is too long loses its middle, not its place. */
	snprintf(buf, size, "%.*s%s (%.*s)", size > 56 ? (int)size - 44 : 12, name, offset,
		 MIN(name_length(module), 24), module);
}

/* Of a size that the cache keeps. */
static const char *cached_name(struct symbols *s, uint64_t addr, bool is_return, bool with_offset)
{
	struct cached_name *c = &s->cache[(addr ^ addr >> 12) % NAMES];

	if (c->addr != addr || c->is_return != is_return || c->with_offset != with_offset) {
		*c = (struct cached_name){ addr, is_return, with_offset, "" };
		find_name(s, addr, is_return, with_offset, c->name, sizeof(c->name));
		make_printable(c->name, sizeof(c->name)); /* the process's own words */
	}
	return c->name;
}

void symbols_name(struct symbols *s, uint64_t addr, bool is_return, bool with_offset, char *buf,
		  size_t size)
{
	snprintf(buf, size, "%s", cached_name(s, addr, is_return, with_offset));
}

/* --- stacks ----------------------------------------------------------------------------------- */

/* libdw insists on the list; the one that is asked for comes by get_thread. */
static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
	struct symbols *s = arg;

	if (*thread_arg)
		return 0;
	*thread_arg = s;
	return s->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg)
{
	*thread_arg = arg;
	return true;
}

/* Of a copied stack nothing but the copy: the memory has moved on. */
static bool read_copy(const struct symbols_walk *walk, Dwarf_Addr addr, Dwarf_Word *result)
{
	Dwarf_Addr at = addr - stack_regs_sp(walk->regs);

	if (at >= walk->stack_bytes || walk->stack_bytes - at < sizeof(*result))
		return false;
	memcpy(result, (const char *)walk->stack + at, sizeof(*result));
	return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
	struct iovec to = { result, sizeof(*result) },
		     from = { (void *)(uintptr_t)addr, sizeof(*result) };
	struct symbols *s = arg;

	if (clock_ns() > s->deadline_ns)
		return false;
	if (s->walk->stack)
		return read_copy(s->walk, addr, result);
	if (process_vm_readv(s->pid, &to, 1, &from, 1, 0) == sizeof(*result))
		return true;
	s->memory_errno = errno;
	return false;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	struct symbols *s = arg;
	Dwarf_Word dwarf[STACK_DWARF_REGS];

	stack_regs_dwarf(s->walk->regs, dwarf);
	if (!dwfl_thread_state_registers(thread, 0, STACK_DWARF_REGS, dwarf))
		return false;
	dwfl_thread_state_register_pc(thread, stack_regs_pc(s->walk->regs));
	return true;
}

static int take_frame(Dwfl_Frame *frame, void *arg)
{
	struct symbols *s = arg;
	bool activation;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &activation) || !pc || s->n == s->max ||
	    clock_ns() > s->deadline_ns)
		return DWARF_CB_ABORT;
	/* The innermost of a thread in a system call stands behind the instruction that made it. */
	symbols_name(s, pc, s->n && !activation, s->walk->with_offset, s->frame[s->n],
		     REPORT_FRAME);
	s->n++;
	return DWARF_CB_OK;
}

uint32_t symbols_unwind(struct symbols *s, pid_t tid, const struct symbols_walk *walk,
			char frame[][REPORT_FRAME], uint32_t max, char why[REPORT_TEXT])
{
	static const Dwfl_Thread_Callbacks threads = { .next_thread = next_thread,
						       .get_thread = get_thread,
						       .memory_read = read_memory,
						       .set_initial_registers = set_registers };
	int ret;

	why[0] = '\0';
	if (!STACK_DWARF_REGS || walk->regs_bytes < STACK_REGS_BYTES) {
		snprintf(why, REPORT_TEXT, "its registers are not known");
		return 0;
	}
	s->walk = walk;
	s->tid = tid;
	s->deadline_ns = clock_ns() + UNWIND_NS;
	s->memory_errno = 0;
	s->frame = frame;
	s->n = 0;
	s->max = max;
	if (!s->attached && !dwfl_attach_state(s->dwfl, NULL, s->pid, &threads, s)) {
		snprintf(why, REPORT_TEXT, "libdw: %s", dwfl_errmsg(-1));
		return 0;
	}
	s->attached = true;
	ret = dwfl_getthread_frames(s->dwfl, tid, take_frame, s);
	if (s->memory_errno == EPERM)
		snprintf(why, REPORT_TEXT, "its memory cannot be read: needs CAP_SYS_PTRACE");
	else if (clock_ns() > s->deadline_ns)
		snprintf(why, REPORT_TEXT, "the walk took too long");
	else if (ret < 0)
		snprintf(why, REPORT_TEXT, "the walk ended early: %s", dwfl_errmsg(-1));
	else if (s->n == max)
		snprintf(why, REPORT_TEXT, "there are more frames");
	return s->n;
}
