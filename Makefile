# SPDX-License-Identifier: BSD-2-Clause
# One makefile for all: the program, its BPF objects, the built-in guest, and every test.
# Output goes to $(O) (build/; with ASAN=1, TSAN=1 or UBSAN=1 to a folder of its own below it).
# V=1 shows whole commands, WERROR=0 lets warnings pass. `make help` lists the targets.

VERSION := 0.1.0
O       ?= build
PREFIX  ?= /usr/local
DESTDIR ?=

CC      := $(if $(filter default,$(origin CC)),gcc,$(CC))
CLANG   ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
IASL    ?= iasl

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDEXPANSION:
.DEFAULT_GOAL := all

empty :=
space := $(empty) $(empty)
sanitizers := $(strip $(if $(ASAN),asan) $(if $(TSAN),tsan) $(if $(UBSAN),ubsan))
OUT := $(O)$(if $(sanitizers),/$(subst $(space),-,$(sanitizers)))

Q   := $(if $(filter 1,$(V)),,@)
say  = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n' '$(1)' '$(2)')

# --- flags ---------------------------------------------------------------------------------------
# Frame pointers everywhere and no merged sibling calls: live stacks must show whole chains.
FRAMES   := -fno-omit-frame-pointer -fno-optimize-sibling-calls -mno-omit-leaf-frame-pointer
WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wvla \
            -Wno-unused-parameter -Wno-missing-field-initializers \
            $(if $(filter 0,$(WERROR)),,-Werror)
# gcc's TSAN does not model fences and warns about each; the code says which fence pairs with which.
SANITIZE := $(if $(ASAN),-fsanitize=address) $(if $(TSAN),-fsanitize=thread -Wno-tsan) \
            $(if $(UBSAN),-fsanitize=undefined -fno-sanitize-recover=all)
CPPFLAGS := -D_GNU_SOURCE -DHANDOFF_VERSION='"$(VERSION)"' -Iinclude
CFLAGS   := -std=gnu11 -O2 -g $(FRAMES) $(WARNINGS) $(SANITIZE) $(EXTRA_CFLAGS)
LDFLAGS  := $(SANITIZE) -Wl,--as-needed
LDLIBS   := -lbpf -ldw -lelf -lz -luring -ljansson -lglib-2.0 -lncursesw -ltinfo -lm -lpthread

GUEST_CFLAGS := -std=gnu11 -m64 -O2 -g -ffreestanding -fno-pic -fno-pie -mno-red-zone \
                -mgeneral-regs-only -fcf-protection=none -fno-stack-protector \
                -fno-asynchronous-unwind-tables -fno-omit-frame-pointer $(WARNINGS) -Iinclude
GUEST_LDFLAGS := -m64 -static -nostdlib -no-pie -Wl,--build-id=none -Wl,-z,noexecstack \
                 -Wl,--no-warn-rwx-segments

BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wno-unused-parameter \
             $(if $(filter 0,$(WERROR)),,-Werror) -D__TARGET_ARCH_$(bpf_arch) -Iinclude -Ibpf \
             -I/usr/include/$(multiarch)

# Asked once, and only when a recipe needs the answer: make must work before the packages are there.
lazy       = $(eval $(1) := $$(shell $(2)))$($(1))
multiarch  = $(call lazy,multiarch,$(CC) -dumpmachine)
bpf_arch   = $(call lazy,bpf_arch,uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
glib_flags = $(call lazy,glib_flags,pkg-config --cflags glib-2.0)

# Flags only one folder needs (its own files and its tests).
cflags_aio     = $(glib_flags)
cflags_tune    = $(glib_flags)
cflags_trace   = -I$(OUT)/bpf
cflags_bpf     = -I$(OUT)/bpf
cflags_machine = -I$(OUT)/user/machine

# --- what there is -------------------------------------------------------------------------------
include scripts/layers.txt

FOLDERS := $(filter-out guest,$(patsubst user/%/,%,$(wildcard user/*/)))
FOLDERS := $(foreach f,$(FOLDERS),$(if $(wildcard user/$(f)/*.c),$(f)))
objects  = $(patsubst %,$(OUT)/%.o,$(basename $(wildcard $(1)/*.c $(1)/*.S)))
archives = $(patsubst %,$(OUT)/lib%.a,$(filter $(FOLDERS),$(1)))
# A folder and everything below it.
closure  = $(sort $(1) $(foreach f,$(sees_$(1)),$(call closure,$(f))))

GUEST := $(if $(wildcard user/guest/*.c),$(OUT)/guest/load.elf)
BPF   := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
# Objects with a skeleton of their own; the others are linked into one, handoff.bpf.o.
BPF_ALONE   := $(filter discover fold stack,$(BPF))
# maps first: the linker of libbpf 1.1 forgets the offsets of maps that it met as extern before.
BPF_LINKED  := $(filter maps,$(BPF)) $(filter-out maps $(BPF_ALONE),$(BPF))
SKELETONS   := $(patsubst %,$(OUT)/bpf/%.skel.h,$(BPF_ALONE) $(if $(strip $(BPF_LINKED)),handoff))
PROGRAM     := $(if $(wildcard user/cmd/main.c),$(OUT)/handoff)

TEST_LEVELS := unit flow kvm bpf seed
# Stock kernels for the level vm. Each machine takes one CPU and, at most, 2 GiB.
KERNELS ?= 6.1 6.12
VM_JOBS ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
test_sources = $(wildcard tests/$(1)/test_*.c $(if $(filter unit,$(1)),tests/unit/*/test_*.c))
test_scripts = $(wildcard tests/$(1)/test_*.sh tests/$(1)/*/test_*.sh)
test_bins    = $(patsubst %.c,$(OUT)/%,$(call test_sources,$(1)))
level_tests  = $(call test_bins,$(1)) $(call test_scripts,$(1))
vm_tests     = -j $(VM_JOBS) -t 1800 \
	$(foreach t,$(call test_scripts,vm),$(foreach k,$(KERNELS),'$(t) $(k)'))
TESTS       := $(foreach l,$(TEST_LEVELS),$(call test_bins,$(l)))
TESTLIB     := $(if $(wildcard tests/lib/*.c),$(OUT)/tests/libtest.a)
# A VMM for tests to trace: scripts start it as a process of its own.
TINY_VMM    := $(OUT)/tests/tiny_vmm

everything := $(PROGRAM) $(call archives,$(FOLDERS)) $(SKELETONS) $(GUEST) $(OUT)/Kbuild.note
all: $(everything) ## build all but tests (default)

# --- stamps: a file that changes only when its text does -----------------------------------------
# $(call stamp,file,text): everything that depends on the file is rebuilt when the text changes.
define stamp
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(subst ','\'',$(2))' | cmp -s - $$@ || \
		printf '%s\n' '$(subst ','\'',$(2))' >$$@
endef
$(eval $(call stamp,$(OUT)/.flags,$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)))
$(eval $(call stamp,$(OUT)/.guest-flags,$(CC) $(GUEST_CFLAGS) $(GUEST_LDFLAGS)))
$(eval $(call stamp,$(OUT)/.bpf-flags,$(CLANG) $$(BPF_CFLAGS)))
FORCE:
.PHONY: FORCE

# --- C objects, one archive per folder -----------------------------------------------------------
folder = $(word 2,$(subst /, ,$(patsubst tests/%,%,$(1))))
# Tests see tests/lib as <lib/...>, and a unit test its folder's private headers.
test_flags = $(if $(filter tests/%,$(1)),-Itests) \
	$(if $(filter tests/unit/%,$(1)),-Iuser/$(call folder,$(1)))
compile = $(CC) $(CPPFLAGS) $(cflags_$(call folder,$(1))) $(call test_flags,$(1)) $(CFLAGS)

$(OUT)/%.o: %.c $(OUT)/.flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(call compile,$<) -MMD -MP -c -o $@ $<

$(OUT)/%.o: %.S $(OUT)/.flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -g -MMD -MP -Wa,-I$(OUT)/guest -c -o $@ $<

define folder_rules
$(call stamp,$(OUT)/.lib$(1),$(call objects,user/$(1)))
$(OUT)/lib$(1).a: $(call objects,user/$(1)) $(OUT)/.lib$(1)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

# Generated headers have to be there before the first compilation that may include them.
$(call objects,user/trace) $(patsubst %,%.o,$(call test_bins,bpf)): | $(SKELETONS)
ACPI_TABLES := $(patsubst user/%.asl,$(OUT)/user/%.hex,$(wildcard user/machine/*.asl))
$(call objects,user/machine): | $(ACPI_TABLES)
$(ACPI_TABLES): user/machine/acpi_map.h
$(OUT)/user/machine/load_blob.o: $(GUEST)

link = $(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1) $(LDLIBS)

$(OUT)/handoff: $(call archives,$(FOLDERS)) $(OUT)/.flags
	$(call say,LINK,$@)
	$(call link)

# The program looks for it beside itself, wherever $(O) is.
$(OUT)/Kbuild.note: Kbuild.note
	@mkdir -p $(@D)
	$(Q)cp $< $@

# --- guest, ACPI, BPF ----------------------------------------------------------------------------
guest_objects := $(patsubst user/%,$(OUT)/%.o,$(basename $(wildcard user/guest/*.c user/guest/*.S)))

$(OUT)/guest/%.o: user/guest/%.c $(OUT)/.guest-flags
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/guest/%.o: user/guest/%.S $(OUT)/.guest-flags
	$(call say,GUEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/guest/load.elf: user/guest/guest.ld $(guest_objects)
	$(call say,LINK,$@)
	$(Q)$(CC) $(GUEST_LDFLAGS) -T $< -o $@ $(guest_objects)

$(OUT)/user/machine/%.hex: user/machine/%.asl
	$(call say,IASL,$<)
	@mkdir -p $(@D)
	$(Q)$(IASL) -tc -p $(@:.hex=) $< >$@.log 2>&1 || { cat $@.log; exit 1; }

$(OUT)/bpf/%.bpf.o: bpf/%.bpf.c $(OUT)/.bpf-flags
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

# BPF programs of the tests' own; loaded from their object files.
TEST_BPF := $(patsubst %.c,$(OUT)/%.o,$(wildcard tests/bpf/programs/*.bpf.c))
$(TEST_BPF): $(OUT)/%.bpf.o: %.bpf.c $(OUT)/.bpf-flags
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
$(call test_bins,bpf): | $(TEST_BPF)

$(eval $(call stamp,$(OUT)/.bpf-linked,$(BPF_LINKED)))
$(OUT)/bpf/linked/handoff.o: $(patsubst %,$(OUT)/bpf/%.bpf.o,$(BPF_LINKED)) $(OUT)/.bpf-linked
	$(call say,BPFLINK,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen object $@ $(filter %.o,$^)

$(OUT)/bpf/handoff.skel.h: $(OUT)/bpf/linked/handoff.o
$(patsubst %,$(OUT)/bpf/%.skel.h,$(BPF_ALONE)): %.skel.h: %.bpf.o
$(SKELETONS):
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .skel.h,,$(@F))_bpf >$@

# --- tests ---------------------------------------------------------------------------------------
define testlib_rule
$(OUT)/tests/libtest.a: $(call objects,tests/lib)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(eval $(testlib_rule))

# $(call test_rules,folder of tests,folders of user/ to link): each test_*.c is a program; the
# other files beside it are linked to all of them.
define test_rules
$(patsubst $(1)/%.c,$(OUT)/$(1)/%,$(wildcard $(1)/test_*.c)): %: %.o \
		$(filter-out $(OUT)/$(1)/test_%,$(call objects,$(1))) \
		$(TESTLIB) $(call archives,$(2)) $(OUT)/.flags
	$$(call say,LINK,$$@)
	$$(call link,-lcmocka)
endef
$(TINY_VMM): $(call objects,tests/tiny) $(TESTLIB) $(OUT)/.flags
	$(call say,LINK,$@)
	$(call link)
$(call test_bins,kvm bpf): | $(TINY_VMM)
unit_folders := $(patsubst tests/unit/%/,%,$(wildcard tests/unit/*/))
$(foreach f,$(unit_folders),$(eval $(call test_rules,tests/unit/$(f),$(call closure,$(f)))))
$(eval $(call test_rules,tests/flow,$(filter-out kvm trace cmd,$(FOLDERS))))
$(foreach l,kvm bpf seed,$(eval $(call test_rules,tests/$(l),$(FOLDERS))))

TEST_TIMEOUT ?= $(if $(sanitizers),900,600)
run_tests = HANDOFF_BUILD='$(abspath $(OUT))' HANDOFF='$(abspath $(OUT))/handoff' \
	scripts/run-tests -t $(TEST_TIMEOUT) -l $(OUT)/logs
# A -j of the caller's is kept; else use every CPU.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
sub  = $(MAKE) --no-print-directory $(JOBS)

tests: $(TESTS) $(TINY_VMM) ## build all tests without running them

test: ## install what is missing, build, run all tests, print the closing line
	@scripts/deps test
	@$(sub) all tests
	@$(run_tests) $(foreach l,$(TEST_LEVELS),$(call level_tests,$(l))) \
		$(if $(sanitizers),,$(vm_tests))

test-unit: $(call test_bins,unit) ## unit tests of all folders
	@$(run_tests) $(call level_tests,unit)

# These need the program as well: their scripts start it.
$(patsubst %,test-%,flow kvm bpf seed): test-%: all $$(call test_bins,$$*)
	@$(run_tests) $(call level_tests,$*)

vmtest: all tests ## the tests on stock kernels (KERNELS="6.1 6.12")
	@$(run_tests) $(vm_tests)
test-vm: vmtest

# `make test-aio` builds and runs one folder's unit tests, whatever state other folders are in
# (test-unit-kvm: test-kvm is a level).
unit_bins = $(filter $(OUT)/tests/unit/$(1)/%,$(TESTS))
$(patsubst %,test-unit-%,$(unit_folders)): test-unit-%: $$(call unit_bins,$$*)
	@$(run_tests) $^ $(wildcard tests/unit/$*/test_*.sh)
$(patsubst %,test-%,$(filter-out $(TEST_LEVELS),$(unit_folders))): test-%: test-unit-%

FUZZ_RUNS ?= 1000000
fuzz_bins := $(filter %_fuzz,$(call test_bins,unit))
fuzz: $(fuzz_bins) ## the fuzzers, longer: FUZZ_RUNS inputs where that can be chosen; ASAN=1 fits
	@HANDOFF_FUZZ_RUNS=$(FUZZ_RUNS) $(run_tests) -v -t 7200 $^

seed: all $$(call test_bins,seed) ## show the three founding stack traces, caught live
	@$(run_tests) -v $(call level_tests,seed)

bench: all $(TINY_VMM) ## run the benchmarks of tests/bench
	@for b in $(wildcard tests/bench/bench_*.sh); do \
		HANDOFF='$(abspath $(OUT))/handoff' $$b || exit 1; done

bench-policy: all ## what each poll policy costs, beside the best fixed spin
	@HANDOFF='$(abspath $(OUT))/handoff' tests/bench/bench_policy.sh

bench-tune: all ## what a QEMU gains by `handoff tune --apply`
	@HANDOFF='$(abspath $(OUT))/handoff' tests/bench/bench_tune.sh

bench-trace: ## what tracing costs, beside other tracers: installs them, builds, runs
	@scripts/deps bench || echo 'bench-trace: goes on without what is missing'
	@$(sub) all $(TINY_VMM)
	@HANDOFF='$(abspath $(OUT))/handoff' tests/bench/bench_trace.sh

# --- checks --------------------------------------------------------------------------------------
SOURCES := $(wildcard include/*/*.h user/*/*.[ch] bpf/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch])
HEADERS := $(filter %.h,$(SOURCES))

CHECKS := layers headers format style bpf
check: $(patsubst %,check-%,$(CHECKS)) ## layers, headers alone, format, style, BPF budget

check-layers:
	$(call say,CHECK,layers)
	$(Q)scripts/check-layers

check-format:
	$(call say,CHECK,format)
	$(Q)clang-format --dry-run -Werror $(SOURCES)

check-style:
	$(call say,CHECK,style)
	$(Q)scripts/check-style

check-bpf: $(OUT)/tests/bpf/test_budget $(SKELETONS)
	$(call say,CHECK,bpf budget)
	$(Q)scripts/check-bpf-budget $(OUT)

# Every header compiles alone, with the flags of its folder.
compile_header = $(if $(filter user/guest/%,$(1)),$(CC) $(GUEST_CFLAGS), \
	$(if $(filter bpf/%,$(1)),$(CLANG) $(BPF_CFLAGS),$(call compile,$(1))))
check-headers: $(patsubst %,$(OUT)/check/%.ok,$(HEADERS))
$(OUT)/check/%.ok: % $(OUT)/.flags | $(SKELETONS)
	$(call say,HEADER,$<)
	@mkdir -p $(@D)
	$(Q)echo '#include "$<"' | $(call compile_header,$<) -I. -fsyntax-only \
		-MMD -MP -MF $(@:.ok=.d) -MT $@ -x c -
	@touch $@

format: ## bring all C files into the project's format
	$(Q)clang-format -i $(SOURCES)

# --- the rest ------------------------------------------------------------------------------------
run: ## install what is missing, build, boot the load guest and trace it (RUN_ARGS=...)
	@scripts/deps run
	@$(sub) all
	$(OUT)/handoff run --trace $(RUN_ARGS)

deps: ## install the packages needed to build, run and test
	@scripts/deps test

share := $(DESTDIR)$(PREFIX)/share
install: all $(OUT)/handoff.1 $(OUT)/handoff.bash ## install to DESTDIR/PREFIX
	install -D -m 755 $(OUT)/handoff $(DESTDIR)$(PREFIX)/bin/handoff
	install -D -m 644 $(GUEST) $(share)/handoff/load.elf
	install -D -m 644 Kbuild.note $(share)/handoff/Kbuild.note
	install -D -m 644 $(OUT)/handoff.1 $(share)/man/man1/handoff.1
	install -D -m 644 $(OUT)/handoff.bash $(share)/bash-completion/completions/handoff

$(OUT)/handoff.1: $(PROGRAM)
	$(call say,MAN,$@)
	$(Q)$< help --man >$@

$(OUT)/handoff.bash: $(PROGRAM)
	$(call say,BASH,$@)
	$(Q)$< help --completion >$@

compdb: ## write compile_commands.json for editors
	@$(MAKE) --no-print-directory -nB V=1 all tests | scripts/compdb >compile_commands.json

clean: ## remove the build folder
	rm -rf $(OUT)

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /  \1:/p' Makefile | \
		awk -F: '{printf "%-16s%s\n", $$1, $$2}'
	@echo '  test-LEVEL  one level of tests: $(TEST_LEVELS) vm'
	@echo '  test-FOLDER unit tests of one folder of user/, building only what they need'
	@echo 'V=1 shows commands, WERROR=0 lets warnings pass, O=DIR sets the output folder;'
	@echo 'ASAN=1, TSAN=1 and UBSAN=1 build with a sanitizer, in a folder of their own.'

.PHONY: all tests test vmtest test-vm seed bench bench-policy bench-tune bench-trace \
	$(patsubst %,test-%,$(TEST_LEVELS) $(unit_folders)) \
	$(patsubst %,test-unit-%,$(unit_folders)) check $(patsubst %,check-%,$(CHECKS)) \
	format run deps install compdb clean help
# Object files are wanted for the next build although only a pattern rule names them.
.SECONDARY:

-include $(shell test -d $(OUT) && find $(OUT) -name '*.d')
