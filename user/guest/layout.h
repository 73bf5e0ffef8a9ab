/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that the guest's assembly and its C share: selectors, vectors, services of CPL 0. Only
 * #defines, so that .S files may include it.
 */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

/* Selectors in entry.S' GDT. */
#define SEL_CODE0 0x08
#define SEL_DATA0 0x10
#define SEL_DATA3 0x1b
#define SEL_CODE3 0x23
#define SEL_TSS	  0x28

/* Vectors: 32 exceptions, then one stub of 64 bytes for each device vector; the last is the LAPIC
 * timer's. */
#define EXC_VECTORS	32
#define IRQ_VECTOR_BASE 0x40
#define IRQ_VECTORS	64
#define IRQ_TIMER	(IRQ_VECTORS - 1)
#define IRQ_STUB_BYTES	64
#define SPURIOUS_VECTOR 0xff

#define LAPIC_BASE 0xfee00000
#define LAPIC_EOI  0xb0

/* Services: first argument of svc(). The order is that of svc_table in vectors.S. */
#define SVC_OUT8     0 /* port, value */
#define SVC_OUT16    1
#define SVC_OUT32    2
#define SVC_IN8	     3 /* port; returns the value */
#define SVC_IN32     4
#define SVC_OUTS8    5 /* bytes, port, count */
#define SVC_HALT     6 /* &counter, seen: sleep until an interrupt unless *counter != seen */
#define SVC_IRQ_ON   7
#define SVC_CPUID    8	/* leaf, subleaf, uint32_t out[4] */
#define SVC_RDMSR    9	/* msr; returns the value */
#define SVC_WRMSR    10 /* msr, value */
#define SVC_TLB	     11 /* forget cached translations */
#define SVC_POWEROFF 12 /* port, code: debug exit; halts for ever if nobody listens */

#endif
