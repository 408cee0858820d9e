# SPDX-License-Identifier: Apache-2.0
#
# volt-runc - an OCI runtime that gives every container its own microVM
#
#   make deps     install the Debian packages that building and testing need
#   make          build the runtime, the guest agent, its initramfs and the guest kernel
#   make demo     run a container in its own kernel with podman
#   make check    run every test (unit tests here, behaviour in a machine with a working KVM)
#   make help     list all targets
#
# V=1 shows commands, CI=1 turns warnings into errors, BUILD=dir builds elsewhere.

BUILD  ?= build
PREFIX ?= /usr/local
CC     ?= gcc
V      ?= 0
CI     ?=

VERSION := $(shell cat VERSION 2>/dev/null || echo 0.0.0)
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

# ---- what has to be installed (one list) ------------------------------------------------------

PACKAGES_BUILD := build-essential pkg-config git musl-tools linux-libc-dev \
	libseccomp-dev libyajl-dev libcap-dev libarchive-dev libsystemd-dev libnl-route-3-dev \
	linux-source-6.12 flex bison bc libelf-dev xz-utils cpio
PACKAGES_TEST := libcmocka-dev bats qemu-system-x86 linux-image-6.12-cloud-amd64 \
	podman conmon crun runc buildah catatonit containerd docker.io apparmor \
	netavark aardvark-dns iptables slirp4netns passt systemd \
	busybox-static debootstrap jq gojq socat strace iproute2 procps psmisc
PACKAGES_LINT := clang libclang-rt-dev clang-tidy clang-format cppcheck shellcheck codespell
PACKAGES := $(PACKAGES_BUILD) $(PACKAGES_TEST) $(PACKAGES_LINT)

# ---- layers: the architecture in machine-readable form (style: docs/HACKING.md) -----------------
# Each layer is one static archive. A layer may use only what is named here; check-layers proves
# it from the includes, and test_layers links each archive with only these.

LAYERS := base oci vmm pvh virtio-fs sandbox cmd
DEPS_base      :=
DEPS_oci       := base
DEPS_vmm       := base
DEPS_pvh       := base vmm
DEPS_virtio-fs := base
DEPS_sandbox   := base
DEPS_cmd       := base oci vmm pvh virtio-fs sandbox

# Link order: users before what they use.
LINK_ORDER := cmd sandbox virtio-fs pvh vmm oci base

LIBS := -lseccomp -lyajl -lcap -larchive -lnl-route-3 -lnl-3 -lpthread

# ---- flags ------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wundef -Wimplicit-fallthrough -Wformat=2
ifneq ($(CI),)
WARN += -Werror
endif
OPT      ?= -O2 -g
HARDEN   ?= -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
SANITIZE ?=
CFLAGS_ALL = -std=gnu11 $(WARN) $(OPT) $(HARDEN) $(SANITIZE) -fPIE -pthread -MMD -MP \
	-D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iruntime -I$(BUILD)/gen -isystem /usr/include/libnl3 $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack $(SANITIZE) $(LDFLAGS)

ifeq ($(V),0)
Q   := @
say  = @printf '  %-8s %s\n' $(1) $(2)
MAKEFLAGS += --no-print-directory
else
Q   :=
say  = @:
endif

# ---- sources ----------------------------------------------------------------------------------

SRC_cmd := $(wildcard runtime/*.c)
$(foreach l,$(filter-out cmd,$(LAYERS)),$(eval SRC_$(l) := $(wildcard runtime/$(l)/*.c)))
$(foreach l,$(LAYERS),$(eval OBJ_$(l) := $(patsubst %.c,$(BUILD)/%.o,$(filter-out runtime/main.c runtime/sandbox/gen_filters.c,$(SRC_$(l))))))
$(foreach l,$(LAYERS),$(eval LIB_$(l) := $(BUILD)/lib$(l).a))
ARCHIVES := $(foreach l,$(LINK_ORDER),$(LIB_$(l)))

TEST_HELPERS := $(wildcard tests/c/evil_*.c)
# Unit tests that need traffic control, which not every machine's kernel has: they run in the test machine.
VM_TESTS  := $(BUILD)/tests/test_net_watch
TEST_SRC  := $(wildcard tests/c/test_*.c)
TEST_BINS := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(TEST_SRC))
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_TESTS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(FUZZ_SRC))
FUZZ_BINS  := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRC))
AGENT_SRC := $(filter-out guest-agent/mkinitramfs.c,$(wildcard guest-agent/*.c)) \
	runtime/base/agent_proto.c runtime/base/agent_codec.c runtime/base/bytes.c

.PHONY: all
all: $(BUILD)/volt-runc agent kernel

$(BUILD)/volt-runc: $(BUILD)/runtime/main.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

define layer_rules
$$(LIB_$(1)): $$(OBJ_$(1))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$(OBJ_$(1))
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$(l))))

$(BUILD)/%.o: %.c | $(BUILD)/gen/version.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

$(BUILD)/gen/version.h: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '#define VOLT_VERSION "%s"\n#define VOLT_COMMIT "%s"\n#define VOLT_DATADIR "%s"\n' \
		'$(VERSION)' '$(COMMIT)' '$(PREFIX)/lib/volt-runc' > $@.tmp
	$(Q)cmp -s $@.tmp $@ && rm -f $@.tmp || mv $@.tmp $@

# System calls each role may make, collected from the "Syscalls:" lines of the code that makes them.
SANDBOXED_SRC := $(wildcard runtime/*.[ch] runtime/base/*.[ch] runtime/vmm/*.[ch] \
	runtime/pvh/*.[ch] runtime/virtio-fs/*.[ch] runtime/sandbox/*.[ch])
SYSCALL_LISTS := $(foreach r,shim vmm vcpu fs net proxy,$(BUILD)/gen/syscalls_$(r).h)

$(BUILD)/gen/syscalls_%.h: runtime/sandbox/gen_syscalls.sh $(SANDBOXED_SRC)
	$(Q)mkdir -p $(@D)
	$(Q)runtime/sandbox/gen_syscalls.sh $* $(SANDBOXED_SRC) > $@.tmp
	$(Q)cmp -s $@.tmp $@ && rm -f $@.tmp && touch $@ || mv $@.tmp $@

$(BUILD)/runtime/sandbox/seccomp_roles.o: $(SYSCALL_LISTS)

# The roles' filters, compiled now: what the tests simulate is what every host gets.
$(BUILD)/gen/gen_filters: $(BUILD)/runtime/sandbox/gen_filters.o $(BUILD)/runtime/sandbox/seccomp_build.o \
		$(BUILD)/runtime/sandbox/seccomp_roles.o $(BUILD)/libbase.a
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lseccomp

$(BUILD)/gen/seccomp_filters.h: $(BUILD)/gen/gen_filters
	$(call say,BPF,$@)
	$(Q)$< > $@.tmp && mv $@.tmp $@

$(BUILD)/runtime/sandbox/seccomp.o: $(BUILD)/gen/seccomp_filters.h

# ---- guest: agent, initramfs, kernel ------------------------------------------------------------

.PHONY: agent
agent: $(BUILD)/guest/initramfs

$(BUILD)/guest/agent: $(AGENT_SRC) $(wildcard guest-agent/*.h runtime/base/*.h)
	$(call say,MUSL-CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu11 $(WARN) -Os -g0 -static -ffunction-sections -fdata-sections \
		-fstack-protector-strong -fno-asynchronous-unwind-tables -D_GNU_SOURCE -Iruntime -I. \
		-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu \
		-Wl,--gc-sections -Wl,-z,noexecstack -s -o $@ $(AGENT_SRC)

$(BUILD)/guest/mkinitramfs: guest-agent/mkinitramfs.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< -larchive

$(BUILD)/guest/initramfs: $(BUILD)/guest/mkinitramfs $(BUILD)/guest/agent
	$(call say,CPIO,$@)
	$(Q)$(BUILD)/guest/mkinitramfs $(BUILD)/guest/agent $@

.PHONY: kernel
kernel: $(BUILD)/guest/vmlinux
$(BUILD)/guest/vmlinux: kernel-config/build.sh $(wildcard kernel-config/*.config kernel-config/pch/*)
	$(call say,KERNEL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)kernel-config/build.sh $@

# ---- install ------------------------------------------------------------------------------------

.PHONY: install
install: all
	install -Dm755 $(BUILD)/volt-runc $(DESTDIR)$(PREFIX)/bin/volt-runc
	install -Dm644 $(BUILD)/guest/vmlinux $(DESTDIR)$(PREFIX)/lib/volt-runc/vmlinux
	install -Dm644 $(BUILD)/guest/initramfs $(DESTDIR)$(PREFIX)/lib/volt-runc/initramfs

# ---- tests --------------------------------------------------------------------------------------

LIB_tests := $(BUILD)/libtesthelpers.a
$(LIB_tests): $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(TEST_HELPERS)))
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/tests/%: tests/c/%.c $(LIB_tests) $(ARCHIVES)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests/c -I. $(LDFLAGS_ALL) -o $@ $< $(LIB_tests) \
		-Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

# Its stages ask here for their filters: see the test.
$(BUILD)/tests/test_escape: LDFLAGS += -Wl,--wrap=sbx_seccomp_prepare -Wl,--wrap=sbx_seccomp_thread

$(BUILD)/tests/test_sbx_left: LDFLAGS += -Wl,--wrap=sbx_seccomp_thread

# The runtime with roles that were taken over (tests/escape/hook.c), for tests/bats/escape.bats. It is
# linked from the same objects: what makes it evil is not in them.
HOOKED := sbx_stage_vmm_mounts sbx_stage_vmm_started sbx_stage_fs_final sbx_stage_shim_final sbx_stage_net_final \
	sbx_stage_proxy_final \
	sbx_close_fds sbx_seccomp_prepare sbx_seccomp_thread role_report_read role_tell_shim
.PHONY: escape
escape: $(BUILD)/escape/volt-runc
$(BUILD)/tests/escape/hook.o: CFLAGS += -Itests/c
$(BUILD)/escape/volt-runc: $(BUILD)/runtime/main.o $(BUILD)/tests/escape/hook.o $(LIB_tests) $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) $(HOOKED:%=-Wl,--wrap=%) -o $@ $(BUILD)/runtime/main.o \
		$(BUILD)/tests/escape/hook.o $(LIB_tests) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)
	$(Q)ln -sfn ../guest $(@D)/guest

# The agent's own code, built for the host: its tests see nothing of the runtime but what it shares.
LIB_agent := $(BUILD)/libagent.a
$(LIB_agent): $(patsubst %.c,$(BUILD)/%.o,$(filter-out guest-agent/main.c guest-agent/mkinitramfs.c, \
		$(wildcard guest-agent/*.c)))
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# Plays a systemd; the runtime itself loads the library when it needs it.
$(BUILD)/tests/test_scope: LIBS += -lsystemd

$(patsubst %,$(BUILD)/tests/test_agent_%,container dns member parts process): $(BUILD)/tests/%: tests/c/%.c \
		$(LIB_agent) $(LIB_base)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests/c -I. $(LDFLAGS_ALL) -o $@ $< $(LIB_agent) $(LIB_base) -lcmocka

# Without libFuzzer a fuzz target is a unit test that replays its corpus.
$(FUZZ_TESTS): $(BUILD)/tests/%: tests/fuzz/%.c $(LIB_tests) $(ARCHIVES)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests/c -I. $(LDFLAGS_ALL) -o $@ $< $(LIB_tests) \
		-Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

# Both ends of the agent's connection; the test plays what lies between.
$(BUILD)/tests/fuzz_agent_stream $(BUILD)/fuzz/fuzz_agent_stream: LIBS := $(LIB_agent) $(LIBS)
$(BUILD)/tests/fuzz_agent_stream $(BUILD)/fuzz/fuzz_agent_stream: $(LIB_agent)

# With filters of its own, for not every machine's kernel has traffic control.
$(BUILD)/tests/test_net_port: LDFLAGS += -Wl,--wrap=net_tc_add_ingress -Wl,--wrap=net_tc_del_ingress -Wl,--wrap=net_tc_has -Wl,--wrap=net_tc_filter

# The two tests that see both sides. They have taps for the devices of a machine, and interrupt dumps.
NET_TESTS := $(BUILD)/tests/test_net_roundtrip $(BUILD)/tests/test_net_changes
$(NET_TESTS): LDFLAGS += -Wl,--wrap=netdev_find -Wl,--wrap=netdev_bind -Wl,--wrap=netdev_unbind -Wl,--wrap=nl_recvmsgs
$(NET_TESTS): $(BUILD)/tests/%: tests/c/%.c $(LIB_agent) $(ARCHIVES)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests/c -I. $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(LIB_agent) \
		$(ARCHIVES) -Wl,--end-group $(LIBS) -lcmocka

.PHONY: unit
unit: $(TEST_BINS) $(FUZZ_TESTS)
	$(Q)tests/run-unit.sh $(filter-out $(VM_TESTS),$(TEST_BINS)) $(FUZZ_TESTS)

# A layer that uses more than DEPS_ allows does not link here (headers alone are check-layers' part).
LAYER_LINKS := $(foreach l,$(filter-out cmd,$(LAYERS)),$(BUILD)/layers/$(l))
$(BUILD)/layers/%: $(ARCHIVES)
	$(Q)mkdir -p $(@D)
	$(Q)printf 'int main(void) { return 0; }\n' > $@.c
	$(Q)$(CC) $(OPT) $(SANITIZE) -o $@ $@.c -Wl,--whole-archive $(LIB_$*) -Wl,--no-whole-archive \
		-Wl,--start-group $(foreach d,$(DEPS_$*),$(LIB_$(d))) -Wl,--end-group $(LIBS)

.PHONY: check-layers
check-layers: $(LAYER_LINKS)
	$(Q)tests/check-layers.sh

# docs/OCI.md: its tables are printed by the parser and by --help; those of docs/SANDBOX.md by the tests
# that prove them.
DOC_PROGRAMS := $(BUILD)/volt-runc $(patsubst %,$(BUILD)/tests/test_%,oci_doc sbx_left escape)
.PHONY: docs check-docs
docs: $(DOC_PROGRAMS)
	$(Q)tests/oci-doc.sh $(BUILD)
	$(Q)tests/sandbox-doc.sh $(BUILD)
check-docs: $(DOC_PROGRAMS)
	$(Q)tests/oci-doc.sh $(BUILD) --check
	$(Q)tests/sandbox-doc.sh $(BUILD) --check

# Programs that the behaviour tests run in guests: static, so that they need nothing of an image.
PROBES := $(patsubst tests/bats/probes/%.c,$(BUILD)/probes/%,$(wildcard tests/bats/probes/*.c))
$(BUILD)/probes/%: tests/bats/probes/%.c
	$(call say,MUSL-CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu11 -Wall -Wextra -O2 -static -s -D_GNU_SOURCE -o $@ $<

# Guests without an operating system, booted in place of the kernel.
GUESTS := $(BUILD)/guests/hostile
GUEST_SRC := $(wildcard tests/guests/*.[cS])
$(GUESTS): $(GUEST_SRC) tests/guests/guest.h tests/guests/guest.lds runtime/base/agent_proto.h
	$(call say,GUEST-CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -Wall -Wextra -O2 -ffreestanding -fno-stack-protector -fcf-protection=none -fno-pic \
		-mno-red-zone -mgeneral-regs-only -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns \
		-nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments \
		-Iruntime -T tests/guests/guest.lds -o $@ $(GUEST_SRC)

# A program of the host: the callers of soak.bats.
SOAK_SRC := $(wildcard tests/soak/*.c)
$(BUILD)/soak: $(SOAK_SRC) $(wildcard tests/soak/*.h)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(SOAK_SRC)

$(BUILD)/tests/test_soak_model: tests/c/test_soak_model.c tests/soak/model.c tests/soak/model.h
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Itests $(LDFLAGS_ALL) -o $@ $(filter %.c,$^) -lcmocka

.PHONY: images
images: $(PROBES) $(GUESTS) $(VM_TESTS) $(BUILD)/tests/test_sbx_left $(BUILD)/soak escape
	$(Q)tests/images/build.sh $(BUILD)/images

# Behaviour tests, in machines whose KVM can run a guest kernel. BATS_FILES= and BATS_FLAGS= narrow.
.PHONY: bats
bats: all images
	$(Q)BUILD=$(BUILD) BATS_FLAGS='$(BATS_FLAGS)' tests/bats/all $(BATS_FILES)

# make soak N=300 SEED=1: random verbs from four callers at once, and faults. Many hours of an emulated machine's
# time are possible; where KVM works it is minutes.
N ?= 300
SEED ?= $(shell date +%s)
.PHONY: soak
soak: all images
	$(Q)mkdir -p $(BUILD)/results
	$(Q)VOLT_VM_TIMEOUT=$${VOLT_VM_TIMEOUT:-0} tests/vm/run --share $(CURDIR)/$(BUILD)/results --env BUILD=$(BUILD) \
		--env SOAK_N=$(N) --env SOAK_SEED=$(SEED) --env RESULTS=$(CURDIR)/$(BUILD)/results --env BATS_FILES=tests/bats/soak.bats \
		--env BATS_FLAGS=--verbose-run -- tests/bats/run

# make net-soak: a gigabyte each way, ten thousand connections and datagrams of many sizes. An hour of an emulated
# machine's time; where KVM works it is minutes, and `make bats` does as much.
NET_BYTES ?= 1073741824
NET_CONNS ?= 10000
NET_STEP  ?= 13
.PHONY: net-soak
net-soak: all images
	$(Q)mkdir -p $(BUILD)/results
	$(Q)VOLT_VM_TIMEOUT=$${VOLT_VM_TIMEOUT:-0} tests/vm/run --share $(CURDIR)/$(BUILD)/results --env BUILD=$(BUILD) \
		--env NET_BIG_BYTES=$(NET_BYTES) --env NET_BIG_CONNS=$(NET_CONNS) --env NET_BIG_STEP=$(NET_STEP) \
		--env BATS_FILES=tests/bats/net_big.bats --env BATS_FLAGS=--timing -- tests/bats/run

.PHONY: check
check:
	$(Q)$(MAKE) deps
	$(Q)rm -rf $(BUILD)/results && mkdir -p $(BUILD)/results
	$(Q)tests/check.sh $(BUILD)

# The behaviour tests that the sanitizers see: containers' lives, every way in and out of a machine, and each device.
# A role that a sanitizer ends is a container that fails. The filters, which a sanitizer can't live with, are left out.
# They take up to three times as long, SANITIZED_S seconds in a machine at most.
SANITIZED_S    := 5400
SANITIZED_BATS := $(patsubst %,tests/bats/%.bats,lifecycle exec mounts pause stdio tty net disks update pods)

# The address and undefined behaviour sanitizers: all unit tests, as part of `make check`, and with check-asan
# those, too. Most of an hour in an emulated machine.
ASAN = BUILD=$(BUILD)-asan OPT='-O1 -g -fno-omit-frame-pointer' HARDEN= \
	SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' \
	VOLT_SKIP_OK='this build installs no system call filters'
.PHONY: unit-asan check-asan
unit-asan:
	$(Q)$(MAKE) $(ASAN) unit
check-asan:
	$(Q)VOLT_VM_TIMEOUT=$${VOLT_VM_TIMEOUT:-$(SANITIZED_S)} $(MAKE) $(ASAN) BATS_FILES='$(SANITIZED_BATS)' unit bats

# The thread sanitizer: the unit tests of what has more than one thread, and the same behaviour tests.
TSAN_TESTS := loop vm virtq virtio_mmio virtio_fs rng balloon console vsock vsock_conn vsock_flow \
	vsock_evil virtio_blk net net_kernel fs_server gmem log stream dev_abuse
.PHONY: check-tsan
check-tsan:
	$(Q)VOLT_VM_TIMEOUT=$${VOLT_VM_TIMEOUT:-$(SANITIZED_S)} $(MAKE) BUILD=$(BUILD)-tsan OPT='-O1 -g -fno-omit-frame-pointer' HARDEN= \
		SANITIZE='-fsanitize=thread' BATS_FILES='$(SANITIZED_BATS)' tsan-tests bats
.PHONY: tsan-tests
tsan-tests: $(patsubst %,$(BUILD)/tests/test_%,$(TSAN_TESTS))
	$(Q)VOLT_SKIP_OK='this build installs no system call filters' tests/run-unit.sh $^

# make fuzz T=60 [TARGET=elf]: each target for T seconds with clang's libFuzzer, ASan and UBSan.
T ?= 60
TARGET ?=
.PHONY: fuzz fuzz-bins
fuzz:
	$(Q)$(MAKE) BUILD=$(BUILD)-fuzz CC=clang OPT='-O1 -g -fno-omit-frame-pointer' HARDEN= \
		SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzz-bins
	$(Q)tests/fuzz/run.sh $(BUILD)-fuzz $(T) $(TARGET)
fuzz-bins: $(FUZZ_BINS)
$(FUZZ_BINS): $(BUILD)/fuzz/%: tests/fuzz/%.c $(LIB_tests) $(ARCHIVES)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -DVOLT_LIBFUZZER -Itests/c -I. $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< \
		$(LIB_tests) -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(LIBS)

.PHONY: demo
demo:
	$(Q)$(MAKE) deps
	$(Q)$(MAKE) all images
	$(Q)tests/vm/run --env BUILD=$(BUILD) -- tests/demo.sh

.PHONY: vm-shell
vm-shell: all images
	$(Q)tests/vm/run --env BUILD=$(BUILD) --shell

.PHONY: bench
bench: all images
	$(Q)tests/bench/counted.sh $(BUILD) tests/bench/run.sh
	$(Q)tests/bench/nets.sh $(BUILD) > $(BUILD)/results/bench-net.txt
	$(Q)tee -a $(BUILD)/results/bench.txt < $(BUILD)/results/bench-net.txt

# ---- packages -----------------------------------------------------------------------------------

# Installs what is missing; does nothing (and needs no network) when all is there. RUNLEVEL keeps
# the daemons among the packages from being started where no systemd runs.
.PHONY: deps
deps:
	$(Q)missing=$$(dpkg-query -W -f '$${db:Status-Abbrev} $${Package}\n' $(PACKAGES) 2>/dev/null | \
		awk '$$1 == "ii" {print $$2}' | sort > .deps.have; \
		printf '%s\n' $(PACKAGES) | sort | comm -23 - .deps.have; rm -f .deps.have); \
	if [ -n "$$missing" ]; then \
		echo "installing Debian packages:" $$missing; \
		apt-get update -qq && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends $$missing > /dev/null; \
	fi

# ---- style --------------------------------------------------------------------------------------

C_FILES := $(wildcard runtime/*.[ch] runtime/*/*.[ch] guest-agent/*.[ch] tests/c/*.[ch] tests/escape/*.c tests/fuzz/*.[ch] tests/vm/*.c \
	tests/soak/*.[ch] tests/bats/probes/*.c tests/guests/*.[ch] kernel-config/pch/*.c)
SH_FILES := kernel-config/build.sh runtime/sandbox/gen_syscalls.sh .ci/run \
	$(wildcard tests/*.sh tests/vm/run tests/vm/guest-* tests/images/*.sh tests/bench/*.sh tests/bats/run tests/bats/all tests/fuzz/*.sh)

.PHONY: fmt
fmt:
	$(Q)clang-format -i $(C_FILES)

.PHONY: fmt-check
fmt-check:
	$(Q)clang-format --dry-run -Werror $(C_FILES)

# clang-tidy, a file at a time: it takes its time. What it doesn't look for, and why, is in .clang-tidy.
TIDY := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(wildcard runtime/*.c runtime/*/*.c guest-agent/*.c))
.PHONY: tidy
tidy: $(TIDY)
$(BUILD)/tidy/%.ok: %.c .clang-tidy | $(BUILD)/gen/version.h $(SYSCALL_LISTS)
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iruntime -I. \
		-I$(BUILD)/gen -isystem /usr/include/libnl3 2> /dev/null
	$(Q)touch $@

.PHONY: lint
lint: fmt-check tidy
	$(Q)shellcheck $(SH_FILES)
	$(Q)shellcheck -s bats $(wildcard tests/bats/*.bats tests/bats/*.bash)
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,portability \
		--inline-suppr --suppressions-list=tests/cppcheck.supp -D_GNU_SOURCE -D__x86_64__ \
		-Iruntime -I$(BUILD)/gen runtime guest-agent
	$(Q)codespell --quiet-level=2 --skip=tests/fuzz/corpus --ignore-words-list=extint,iif,nd,te README.md SECURITY.md docs runtime guest-agent kernel-config tests

.PHONY: help
help:
	@sed -n 's/^#   make/  make/p' Makefile
	@echo "  others: kernel agent escape unit unit-asan bats check-asan check-tsan check-layers docs check-docs fuzz lint tidy fmt bench soak net-soak vm-shell install clean"

.PHONY: clean
clean:
	$(Q)rm -rf $(BUILD)

FORCE:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
