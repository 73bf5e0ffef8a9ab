/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest of the tiny VMM (tiny_guest.h): position-independent, runs at CPL 3 without a stack.
 * What is below tiny_guest_ud runs at CPL 0, where a software KVM takes 0.6 us for an instruction.
 */
#include "tiny_guest.h"

#define LAPIC_EOI 0xfee000b0

	.section .rodata
	.code64
	.globl	tiny_guest, tiny_guest_ud, tiny_guest_irqs, tiny_guest_end
	.balign	64
tiny_guest:
round:
	cmpq	$0, ORDERS_ROUNDS(%rdi)
	je	end
	decq	ORDERS_ROUNDS(%rdi)
	xorl	%esi, %esi
next:
	cmpq	ORDERS_RINGS(%rdi), %rsi
	jae	round
	movq	ORDERS_RING(%rdi, %rsi, 8), %rbx
	incl	%esi
	incq	RING_POSTED(%rbx)
	/* Pairs with the fence of a consumer that wants kicks again and looks once more. */
	mfence
	cmpq	$0, RING_NO_NOTIFY(%rbx)
	jne	posted
	incq	RING_KICKED(%rbx)
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	subq	%rax, RING_KICK_TSC(%rbx)
	movq	RING_GPA(%rbx), %rdx
	movq	RING_VALUE(%rbx), %rax
	movq	RING_HOW(%rbx), %rcx
	cmpl	$TINY_MMIO32, %ecx
	jb	mmio16
	ja	pio
	movl	%eax, (%rdx)
	jmp	kicked
mmio16:
	movw	%ax, (%rdx)
	jmp	kicked
pio:
	ud2
kicked:
	rdtsc
	shlq	$32, %rdx
	orq	%rdx, %rax
	addq	%rax, RING_KICK_TSC(%rbx)
posted:
	cmpq	$0, RING_SYNC(%rbx)
	je	served
1:	movq	RING_POSTED(%rbx), %rax
	cmpq	RING_SERVED(%rbx), %rax
	jne	1b
served:
	movq	ORDERS_PAUSE(%rdi), %rcx
	testq	%rcx, %rcx
	jz	next
1:	decq	%rcx
	jnz	1b
	jmp	next
/* User space takes this write; the next KVM_RUN goes on with the next orders. */
end:
	movl	$TINY_END, %edx
	movl	%eax, (%rdx)
	jmp	round

/* ud2 is the one door to CPL 0 that works on every KVM. */
tiny_guest_ud:
	outw	%ax, %dx
	addq	$2, (%rsp)
	iretq

	.balign	TINY_STUB
tiny_guest_irqs:
	.set	nr, 0
	.rept	TINY_MAX_QUEUES
	lock incq TINY_IRQS + 8 * nr
	pushq	%rax
	movl	$LAPIC_EOI, %eax
	movl	$0, (%rax)
	popq	%rax
	iretq
	.balign	TINY_STUB
	.set	nr, nr + 1
	.endr
tiny_guest_end:

	.section .note.GNU-stack, "", @progbits
