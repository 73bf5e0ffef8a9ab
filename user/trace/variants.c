// SPDX-License-Identifier: BSD-2-Clause
/* The rules of variants.h; kernel.md has the history of each hook. */
#include "variants.h"

#include <stdio.h>
#include <string.h>
#include <bpf/btf.h>

static const struct btf_type *skip_names(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

struct prototype {
	const struct btf *btf;
	const struct btf_param *argument; /* the implicit context left out */
	int n;
};

/* The arguments of a tracepoint: typedef btf_trace_<name> > pointer > prototype. */
static bool find_tracepoint(struct btf *const *btf, size_t n, const char *name,
			    struct prototype *proto)
{
	const struct btf_type *t;
	char type_name[80];
	size_t i;
	int id;

	snprintf(type_name, sizeof(type_name), "btf_trace_%s", name);
	for (i = 0; i < n; i++) {
		id = btf[i] ? btf__find_by_name_kind(btf[i], type_name, BTF_KIND_TYPEDEF) : -1;
		t = id > 0 ? skip_names(btf[i], id) : NULL;
		t = t && btf_is_ptr(t) ? skip_names(btf[i], t->type) : NULL;
		if (!t || !btf_is_func_proto(t) || !btf_vlen(t))
			continue;
		*proto = (struct prototype){ btf[i], btf_params(t) + 1, btf_vlen(t) - 1 };
		return true;
	}
	return false;
}

static bool is_pointer(const struct prototype *proto, int argument)
{
	const struct btf_type *t;

	if (argument >= proto->n)
		return false;
	t = skip_names(proto->btf, proto->argument[argument].type);
	return t && btf_is_ptr(t);
}

static enum exit_args decide_exit(struct btf *const *btf, size_t n)
{
	struct prototype proto;

	if (!find_tracepoint(btf, n, "kvm_exit", &proto) || !proto.n)
		return EXIT_ARGS_UNKNOWN;
	if (is_pointer(&proto, 0))
		return proto.n >= 2 ? EXIT_ARGS_VCPU : EXIT_ARGS_UNKNOWN;
	return is_pointer(&proto, 1) && proto.n >= 3 ? EXIT_ARGS_REASON : EXIT_ARGS_NO_ISA;
}

static enum ring_args decide_ring(struct btf *const *btf, size_t n)
{
	struct prototype proto;

	if (!find_tracepoint(btf, n, "io_uring_complete", &proto) || !is_pointer(&proto, 1))
		return RING_ARGS_NONE;
	if (is_pointer(&proto, 2))
		return RING_ARGS_CQE;
	return proto.n >= 4 ? RING_ARGS_RES : RING_ARGS_NONE;
}

static bool has_function(struct btf *const *btf, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (btf[i] && btf__find_by_name_kind(btf[i], name, BTF_KIND_FUNC) > 0)
			return true;
	return false;
}

void variants_decide(struct btf *const *btf, size_t n, struct variants *v)
{
	struct prototype proto;
	enum program p;

	memset(v, 0, sizeof(*v));
	v->switch_has_state = find_tracepoint(btf, n, "sched_switch", &proto) && proto.n >= 4;
	v->entry_has_vcpu = !find_tracepoint(btf, n, "kvm_entry", &proto) || is_pointer(&proto, 0);
	v->exit_args = decide_exit(btf, n);
	v->ring_args = decide_ring(btf, n);
	for (p = 0; p < PROGRAMS; p++)
		if (program_hooks_function(p))
			v->has[p] = has_function(btf, n, programs[p].target);
}
