/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does what a list in its RAM says (struct op in guest.h), in 32-bit protected mode as
 * PVH enters it: ebx = first op. Copied to GUEST_CODE_GPA by the tests. Two interrupt handlers
 * report to a port.
 */
#include "guest.h"

	.section .rodata
	.code32
	.globl	guest_code, guest_code_end, guest_handler0, guest_handler1
	.balign	16
guest_code:
next:
	movl	(%ebx), %eax
	movl	4(%ebx), %ecx
	movl	8(%ebx), %edx
	addl	$12, %ebx
	cmpl	$OP_WRITE32, %eax
	je	write32
	cmpl	$OP_WRITE16, %eax
	je	write16
	cmpl	$OP_READ32, %eax
	je	read32
	cmpl	$OP_OUT32, %eax
	je	out32
	cmpl	$OP_OUT16, %eax
	je	out16
	cmpl	$OP_IN32, %eax
	je	in32
	cmpl	$OP_OUTS8, %eax
	je	outs8
	cmpl	$OP_GOTO, %eax
	je	goto
	cmpl	$OP_TABLES, %eax
	je	tables
	cmpl	$OP_IDLE, %eax
	je	idle
	/* OP_FAULT and anything else: without an IDT this is a triple fault. */
	ud2

write32:
	movl	%edx, (%ecx)
	jmp	next
write16:
	movw	%dx, (%ecx)
	jmp	next
read32:
	movl	(%ecx), %eax
	movl	%eax, (%edx)
	jmp	next
out32:
	xchgl	%ecx, %edx
	movl	%ecx, %eax
	outl	%eax, %dx
	jmp	next
out16:
	xchgl	%ecx, %edx
	movl	%ecx, %eax
	outw	%ax, %dx
	jmp	next
in32:
	xchgl	%ecx, %edx
	inl	%dx, %eax
	movl	%eax, (%ecx)
	jmp	next
outs8:
	movl	%ecx, %esi
	movl	%edx, %ecx
	movl	$PORT_BYTES, %edx
	cld
	rep outsb
	jmp	next
goto:
	movl	%ecx, %ebx
	jmp	next
tables:
	lgdt	(%ecx)
	lidt	(%edx)
	movl	$GUEST_STACK_GPA, %esp
	jmp	next
idle:
	sti
	hlt
	jmp	idle

/*
 * Interrupts are let in by `idle` alone, so a handler goes back there: KVM emulates no iret in
 * protected mode.
 */
	.macro	handler nr
guest_handler\nr:
	movl	$\nr, %eax
	movl	$PORT_IRQ, %edx
	outl	%eax, %dx
	movl	$LAPIC_GPA + 0xb0, %edx
	movl	$0, (%edx)
	movl	$GUEST_STACK_GPA, %esp
	jmp	idle
	.endm
	handler	0
	handler	1
guest_code_end:

	.section .note.GNU-stack, "", @progbits
