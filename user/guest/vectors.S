/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything that runs at CPL 0 after start-up: services asked for by svc(), device interrupts, and
 * the way out of an exception to trap_panic() in trap.c. All entries are interrupt gates, so this
 * code never nests but in hlt. On a software KVM an instruction costs 0.6 us here: count them.
 */
#include "layout.h"

	.text

/*
 * uint64_t svc(nr, a, b, c) in the C calling convention. `ud2` is the one door from CPL 3 to CPL 0
 * that works on every KVM; exc_6 knows a service by the address of this instruction.
 */
	.globl	svc
	.type	svc, @function
svc:
	ud2
	ret
	.size	svc, . - svc

	.type	exc_6, @function
exc_6:
	cmpq	$svc, (%rsp)
	jne	exc_6_real
	jmpq	*svc_table(, %rdi, 8)

svc_out8:
	movl	%edx, %eax
	movl	%esi, %edx
	outb	%al, %dx
	addq	$2, (%rsp)
	iretq
svc_out16:
	movl	%edx, %eax
	movl	%esi, %edx
	outw	%ax, %dx
	addq	$2, (%rsp)
	iretq
svc_out32:
	movl	%edx, %eax
	movl	%esi, %edx
	outl	%eax, %dx
	addq	$2, (%rsp)
	iretq
svc_in8:
	movl	%esi, %edx
	xorl	%eax, %eax
	inb	%dx, %al
	addq	$2, (%rsp)
	iretq
svc_in32:
	movl	%esi, %edx
	inl	%dx, %eax
	addq	$2, (%rsp)
	iretq
svc_outs8:
	rep outsb
	addq	$2, (%rsp)
	iretq
/*
 * The gate has switched interrupts off, so no interrupt fits between the look at the counter and
 * hlt: sti takes effect after hlt has begun. The interrupt's handler runs at CPL 0 on this stack
 * and returns behind hlt.
 */
svc_halt:
	cmpq	%rdx, (%rsi)
	jne	1f
	sti
	hlt
1:	addq	$2, (%rsp)
	iretq
svc_irq_on:
	orl	$0x200, 16(%rsp)
	addq	$2, (%rsp)
	iretq
svc_cpuid:
	movq	%rbx, %r8
	movq	%rcx, %r9
	movl	%esi, %eax
	movl	%edx, %ecx
	cpuid
	movl	%eax, (%r9)
	movl	%ebx, 4(%r9)
	movl	%ecx, 8(%r9)
	movl	%edx, 12(%r9)
	movq	%r8, %rbx
	addq	$2, (%rsp)
	iretq
svc_rdmsr:
	movl	%esi, %ecx
	rdmsr
	shlq	$32, %rdx
	orq	%rdx, %rax
	addq	$2, (%rsp)
	iretq
svc_wrmsr:
	movl	%esi, %ecx
	movq	%rdx, %rax
	shrq	$32, %rdx
	wrmsr
	addq	$2, (%rsp)
	iretq
svc_tlb:
	movq	%cr3, %rax
	movq	%rax, %cr3
	addq	$2, (%rsp)
	iretq
svc_poweroff:
	movl	%edx, %eax
	movl	%esi, %edx
	outl	%eax, %dx
dead:
	cli
	hlt
	jmp	dead

/*
 * An exception nobody expects: leave what is known in panic_record and go on at CPL 3 in
 * trap_panic(), where code is not emulated and the serial services work. A second one ends the
 * guest without a word.
 */
	.type	exc_panic, @function
exc_panic:
	incl	panic_depth(%rip)
	cmpl	$1, panic_depth(%rip)
	jne	panic_again
	popq	panic_record		/* vector, error code, rip, cs, rflags, rsp, ss */
	popq	panic_record + 8
	popq	panic_record + 16
	popq	panic_record + 24
	popq	panic_record + 32
	popq	panic_record + 40
	popq	panic_record + 48
	movq	%cr2, %rax
	movq	%rax, panic_record + 56
	pushq	$SEL_DATA3
	pushq	$user_stack_top - 8
	pushq	$0x2
	pushq	$SEL_CODE3
	pushq	$trap_panic
	iretq
panic_again:
	movl	$1, %eax
	movl	$0xf4, %edx
	outl	%eax, %dx
	jmp	dead

/* Vectors 8, 10-14, 17, 21, 29 and 30 come with an error code; the others get a zero. */
#define HAS_ERROR_CODE 0x60227d00
	.altmacro
	.macro	exception nr
	.if	\nr == 6
exc_6_real:
	.else
exc_\nr:
	.endif
	.if	!((HAS_ERROR_CODE >> \nr) & 1)
	pushq	$0
	.endif
	pushq	$\nr
	jmp	exc_panic
	.endm
	.set	nr, 0
	.rept	EXC_VECTORS
	exception %nr
	.set	nr, nr + 1
	.endr

/* One stub per device vector, IRQ_STUB_BYTES apart. The counters are read by trap.c. */
	.balign	IRQ_STUB_BYTES
	.globl	irq_stubs
	.type	irq_stubs, @function
irq_stubs:
	.set	nr, 0
	.rept	IRQ_VECTORS
	incq	irq_total(%rip)
	incq	irq_counts + 8 * nr(%rip)
	pushq	%rax
	movl	$LAPIC_BASE + LAPIC_EOI, %eax
	movl	$0, (%rax)
	popq	%rax
	iretq
	.balign	IRQ_STUB_BYTES
	.set	nr, nr + 1
	.endr
	.size	irq_stubs, . - irq_stubs

	.globl	irq_spurious_stub
	.type	irq_spurious_stub, @function
irq_spurious_stub:
	iretq

	.section .rodata
	.balign	8
svc_table:
	.quad	svc_out8, svc_out16, svc_out32, svc_in8, svc_in32, svc_outs8, svc_halt
	.quad	svc_irq_on, svc_cpuid, svc_rdmsr, svc_wrmsr, svc_tlb, svc_poweroff
	.globl	exc_table
exc_table:
	.macro	exception_pointer nr
	.quad	exc_\nr
	.endm
	.set	nr, 0
	.rept	EXC_VECTORS
	exception_pointer %nr
	.set	nr, nr + 1
	.endr

	.bss
	.balign	64
	.globl	irq_total, irq_counts
irq_total:
	.skip	8
irq_counts:
	.skip	8 * IRQ_VECTORS
	.globl	panic_record
panic_record:
	.skip	64
panic_depth:
	.skip	4

	.section .note.GNU-stack, "", @progbits
