// SPDX-License-Identifier: BSD-2-Clause
/*
 * The beginning of an x86-64 function, instruction by instruction, until one that the kernel
 * executes itself (arch/x86/kernel/uprobes.c: branch_setup_xol_ops, push_setup_xol_ops; ret is not
 * among them). Those that may be passed over are a short list: what compilers put before the first
 * push, without effects beyond one register, flags and memory.
 */
#include "uprobe_place.h"

#include <stdio.h>
#include <string.h>
#include <handoff/compiler.h>

/* Prologues are shorter; what is further in may be a loop's. */
#define WALK_BYTES 48
#define SCAN_BYTES 65536

#define REG_RSP 4
#define REX_B	0x1
#define REX_X	0x2
#define REX_R	0x4
#define REX_W	0x8

struct insn {
	const uint8_t *at, *end; /* end of what may be read */
	size_t length;		 /* 0: not on the list */
	uint8_t rex, opcode;
	bool segment, operand16; /* prefixes */
	int writes;		 /* register; -1 = none */
	bool emulated;
};

struct modrm {
	uint8_t mod, reg, rm;
	size_t bytes; /* with SIB and displacement; 0: cut off */
};

static struct modrm modrm_read(const struct insn *insn, const uint8_t *p)
{
	struct modrm m = { 0 };
	size_t bytes = 1;

	if (p >= insn->end)
		return m;
	m.mod = *p >> 6;
	m.reg = (*p >> 3 & 7) | (insn->rex & REX_R ? 8 : 0);
	m.rm = (*p & 7) | (insn->rex & REX_B ? 8 : 0);
	if (m.mod != 3 && (*p & 7) == 4) {
		if (p + 1 >= insn->end)
			return m;
		bytes += m.mod == 0 && (p[1] & 7) == 5 ? 5 : 1;
	}
	if (m.mod == 1)
		bytes += 1;
	else if (m.mod == 2 || (m.mod == 0 && (*p & 7) == 5))
		bytes += 4;
	m.bytes = bytes;
	return m;
}

static void insn_ends(struct insn *insn, const uint8_t *end)
{
	if (end <= insn->end)
		insn->length = end - insn->at;
}

/* With a register or memory that the instruction writes to. */
static void insn_to_rm(struct insn *insn, const uint8_t *p, const struct modrm *m, size_t immediate)
{
	if (m->mod == 3)
		insn->writes = m->rm;
	insn_ends(insn, p + m->bytes + immediate);
}

/* add, or, adc, sbb, and, sub, xor, cmp in the four forms of 32 and 64 bits, and of 8. */
static void insn_arithmetic(struct insn *insn, const uint8_t *p)
{
	bool compares = insn->opcode >> 3 == 7;
	struct modrm m = modrm_read(insn, p);

	if (!m.bytes)
		return;
	if (insn->opcode & 2) {
		insn->writes = m.reg;
		insn_ends(insn, p + m.bytes);
	} else {
		insn_to_rm(insn, p, &m, 0);
	}
	if (compares)
		insn->writes = -1;
}

/* 0f xx. Two of them matter: endbr64 and nop are passed over, near jcc is executed. */
static void insn_0f(struct insn *insn, const uint8_t *p, bool repeated)
{
	struct modrm m;

	if (p >= insn->end)
		return;
	if (repeated) {
		if (insn->end - p >= 2 && p[0] == 0x1e && p[1] == 0xfa)
			insn_ends(insn, p + 2);
		return;
	}
	if (p[0] >= 0x80 && p[0] <= 0x8f) {
		insn->emulated = !insn->operand16;
		insn_ends(insn, p + 5);
	} else if (p[0] == 0x1f) {
		m = modrm_read(insn, p + 1);
		if (m.bytes)
			insn_ends(insn, p + 1 + m.bytes);
	}
}

static void insn_with_modrm(struct insn *insn, const uint8_t *p)
{
	struct modrm m = modrm_read(insn, p);

	if (!m.bytes)
		return;
	switch (insn->opcode) {
	case 0x80: /* arithmetic with a byte */
	case 0x83:
		insn_to_rm(insn, p, &m, 1);
		if ((m.reg & 7) == 7)
			insn->writes = -1;
		break;
	case 0x81:
		insn_to_rm(insn, p, &m, insn->operand16 ? 2 : 4);
		if ((m.reg & 7) == 7)
			insn->writes = -1;
		break;
	case 0x84: /* test */
	case 0x85:
		insn_ends(insn, p + m.bytes);
		break;
	case 0xf6: /* test with a constant; the others of this group are not for prologues */
	case 0xf7:
		if ((m.reg & 7) == 0)
			insn_ends(insn, p + m.bytes +
						(insn->opcode == 0xf6 ? 1
						 : insn->operand16    ? 2
								      : 4));
		break;
	case 0x88: /* mov */
	case 0x89:
		insn_to_rm(insn, p, &m, 0);
		break;
	case 0xc7:
		insn_to_rm(insn, p, &m, insn->operand16 ? 2 : 4);
		break;
	case 0x8d: /* lea */
		if (m.mod == 3)
			break;
		/* fall through */
	case 0x8a:
	case 0x8b:
	case 0x63: /* movslq */
		insn->writes = m.reg;
		insn_ends(insn, p + m.bytes);
		break;
	}
}

/* Executed by the kernel. A push with another REX prefix than .B is not, nor a jump of 16 bits. */
static bool insn_is_emulated(struct insn *insn, const uint8_t *p)
{
	uint8_t op = insn->opcode;

	if (insn->segment)
		return false;
	if (op >= 0x50 && op <= 0x57) {
		insn->emulated = !insn->operand16 && (!insn->rex || insn->rex == (0x40 | REX_B));
		insn->writes = REG_RSP;
		insn_ends(insn, p);
	} else if (op == 0x90 && !insn->rex) {
		insn->emulated = true;
		insn_ends(insn, p);
	} else if ((op >= 0x70 && op <= 0x7f) || op == 0xeb) {
		insn->emulated = !insn->operand16;
		insn_ends(insn, p + 1);
	} else if (op == 0xe8 || op == 0xe9) {
		insn->emulated = !insn->operand16;
		insn_ends(insn, p + 4);
	} else {
		return false;
	}
	return true;
}

static bool insn_of_bytes(const struct insn *insn)
{
	uint8_t op = insn->opcode;

	return (op < 0x40 && !(op & 1)) || op == 0x80 || op == 0x88 || op == 0x8a;
}

static void insn_decode(struct insn *insn, const uint8_t *code, const uint8_t *end)
{
	const uint8_t *p = code;
	bool repeated = false;

	*insn = (struct insn){ .at = code, .end = end, .writes = -1 };
	for (; p < end; p++) {
		if (*p == 0x66)
			insn->operand16 = true;
		else if (*p == 0x64 || *p == 0x65 || *p == 0x2e)
			insn->segment = true;
		else if (*p == 0xf3)
			repeated = true;
		else
			break;
	}
	if (p < end && (*p & 0xf0) == 0x40)
		insn->rex = *p++;
	if (p >= end)
		return;
	insn->opcode = *p++;
	if (insn->opcode == 0x0f) {
		insn_0f(insn, p, repeated);
		return;
	}
	if (repeated || insn_is_emulated(insn, p))
		return;
	if (insn->opcode < 0x40 && (insn->opcode & 7) < 4) {
		insn_arithmetic(insn, p);
	} else if (insn->opcode >= 0xb8 && insn->opcode <= 0xbf) {
		insn->writes = (insn->opcode & 7) | (insn->rex & REX_B ? 8 : 0);
		insn_ends(insn, p + (insn->rex & REX_W ? 8 : insn->operand16 ? 2 : 4));
	} else {
		insn_with_modrm(insn, p);
	}
	/* ah, ch, dh, bh */
	if (insn_of_bytes(insn) && !insn->rex && insn->writes >= 4)
		insn->writes -= 4;
}

static int32_t relative(const uint8_t *p)
{
	int32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/*
 * May some jump lead back to `offset` or before it? Instructions further in are not decoded:
 * whatever looks like such a jump counts as one.
 */
static bool jumped_back_to(const uint8_t *code, size_t size, size_t offset)
{
	size_t i;
	int64_t to;

	for (i = offset; i + 1 < size; i++) {
		to = -1;
		if ((code[i] >= 0x70 && code[i] <= 0x7f) || code[i] == 0xeb)
			to = (int64_t)i + 2 + (int8_t)code[i + 1];
		if (to >= 0 && to <= (int64_t)offset)
			return true;
		to = -1;
		if (code[i] == 0xe9 && i + 5 <= size)
			to = (int64_t)i + 5 + relative(code + i + 1);
		else if (code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80 && i + 6 <= size)
			to = (int64_t)i + 6 + relative(code + i + 2);
		if (to >= 0 && to <= (int64_t)offset)
			return true;
	}
	return false;
}

static void describe(const struct insn *insn, const uint8_t *end, char text[32])
{
	size_t n = insn->length ? insn->length : 4, i, at = 0;

	text[0] = 0;
	for (i = 0; i < n && i < 8 && insn->at + i < end; i++)
		at += snprintf(text + at, 32 - at, i ? " %02x" : "%02x", insn->at[i]);
}

void uprobe_place_find(const uint8_t *code, size_t size, uint32_t needs, struct uprobe_place *place)
{
	const uint8_t *end = code + MIN(size, (size_t)WALK_BYTES);
	struct insn insn;
	char text[32];
	size_t offset;

	*place = (struct uprobe_place){ 0 };
	for (offset = 0;; offset += insn.length) {
		insn_decode(&insn, code + offset, end);
		describe(&insn, end, text);
		if (!insn.length) {
			snprintf(place->why, sizeof(place->why),
				 "its instruction at +0x%zx (%s) is none we can pass over", offset,
				 text);
			return;
		}
		if (insn.emulated)
			break;
		if (insn.writes >= 0 && needs & 1u << insn.writes) {
			snprintf(place->why, sizeof(place->why),
				 "its instruction at +0x%zx (%s) is single-stepped, and changes an "
				 "argument",
				 offset, text);
			return;
		}
	}
	if (offset && jumped_back_to(code, MIN(size, (size_t)SCAN_BYTES), offset)) {
		snprintf(place->why, sizeof(place->why),
			 "it is single-stepped, and +0x%zx may be passed more than once", offset);
		return;
	}
	place->offset = offset;
	place->cheap = true;
}
