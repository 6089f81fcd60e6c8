# Handclasp: two commands do everything on a fresh Debian machine with a Rust toolchain, as root:
#   make demo    the main job, on a real kernel in an emulated machine
#   make test    everything there is to check
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
CARGO ?= cargo
TARGET_DIR = $(or $(CARGO_TARGET_DIR),target)
BINARY ?= $(TARGET_DIR)/release/handclasp
# ring's X25519 is faster when clang compiles it: where there is one, it compiles what is released.
ARCH = $(shell uname -m)
MUSL = $(ARCH)-unknown-linux-musl
ifneq ($(shell command -v clang),)
released = CC_$(ARCH)_unknown_linux_gnu=clang CC_$(ARCH)_unknown_linux_musl=clang \
	CFLAGS_$(ARCH)_unknown_linux_musl='-nostdlibinc -isystem /usr/include/$(ARCH)-linux-musl'
endif

.PHONY: build static demo test unit miri fuzz-smoke peers bogo kernel soak shipped lint bench bench-post-quantum install install-files uninstall deb clean toolchain tools

build: toolchain
	$(released) $(CARGO) build --release --locked

# The agent alone, in one file that needs nothing of the system but its kernel: for an initramfs, or an appliance.
static: tools
	@tests/need musl-gcc:musl-tools
	rustup target add $(MUSL)
	$(released) $(CARGO) build --profile small --locked --target $(MUSL) --no-default-features --features minimal
	@ls -l $(TARGET_DIR)/$(MUSL)/small/handclasp

# Each step may install what it needs, and the machines have limits of time.
.NOTPARALLEL:

# What a build needs, from Debian; each is installed only if it is missing. A cargo that is new here has to fetch by certificates.
toolchain:
	@tests/need 'cargo:cargo ca-certificates' cc:gcc /usr/include/stdio.h:libc6-dev

# What the tests need beside it.
tools: toolchain
	@tests/need git:git /etc/ssl/certs/ca-certificates.crt:ca-certificates

demo: tools
	tests/kernel/demo

test: lint unit fuzz-smoke peers bogo kernel
	@echo "make test: lint, unit, fuzz-smoke, peers, bogo and kernel have passed"

# With valgrind also of what an optimiser makes of the code: it may turn a selection into a branch.
unit: export HANDCLASP_VALGRIND = required
unit: tools
	@tests/need valgrind:valgrind
	$(CARGO) test --locked --lib --bins --tests
	$(CARGO) test --locked --doc
	$(CARGO) test --locked --profile quick --no-default-features --features pq --test constant_time

# Outside texts that two tests compare with where somebody has them: the RFCs, and x509-limbo. Nothing else depends on them.
ifneq ($(wildcard ../shared/rfc),)
unit: export HANDCLASP_RFC = $(abspath ../shared/rfc)
endif
ifneq ($(wildcard ../shared/limbo/limbo.json),)
unit: export HANDCLASP_LIMBO = $(abspath ../shared/limbo/limbo.json)
endif

# Every fuzz target from its kept corpus, 60 seconds in all, under AddressSanitizer.
fuzz-smoke: tools
	@tests/need c++:g++
	fuzz/smoke

# Readers and secrets under Miri, as far as ring, which it cannot run, is not in it. It needs rustup, and is no part of `make test`.
miri: tools
	rustup toolchain install nightly --profile minimal --component miri --component rust-src
	$(CARGO) +nightly miri test --locked --lib --no-default-features -- \
		codec:: record:: secret:: pem:: message:: alert:: --skip no_strict_prefix

# OpenSSL and GnuTLS as peers, in both directions; openssl as a second opinion on certificate paths.
peers: tools
	@tests/need openssl:openssl gnutls-serv:gnutls-bin
	tests/peers/prepare
	$(CARGO) test --locked --test peers -- --ignored --nocapture
	$(CARGO) test --locked --test openssl_agree -- --ignored --nocapture

# BoringSSL's protocol test runner.
bogo: tools
	tests/bogo/run

# NFS and NVMe/TCP over TLS on real kernels, in an emulated machine.
kernel: tools
	tests/kernel/test

# The static agent in an initramfs, the Debian package under systemd, and the memory of an optimised program, which uses the stack
# otherwise than the tests' build does: with their builds a quarter of an hour, and no part of `make test`.
shipped: tools
	$(released) $(CARGO) test --release --locked --test residue --test ml_kem_residue
	tests/kernel/initramfs
	tests/kernel/service

# Storms on real kernels, tlshd beside: half an hour, and no part of `make test`.
soak: tools
	tests/kernel/soak

lint: tools
	@tests/need python3:python3
	@! git grep -nE '^(<{7}|[|]{7}|>{7})( |$$)' || { echo "lint: left over from a merge" >&2; exit 1; }
	PYTHONPYCACHEPREFIX=$(TARGET_DIR)/python python3 -m py_compile $$(git ls-files '*.py')
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) fmt --check --manifest-path benches/Cargo.toml
	$(CARGO) fmt --check --manifest-path tests/bogo/shim/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	$(CARGO) clippy --locked --lib --no-default-features -- --deny warnings
	$(CARGO) clippy --locked --lib --no-default-features --features x509 -- --deny warnings
	@tests/need mandoc:mandoc
	for page in dist/man/*; do mandoc -T lint -W warning $$page || exit; done
	$(CARGO) clippy --locked --no-default-features --features minimal -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --document-private-items

# Beside rustls, and with `make bench-post-quantum` also beside OpenSSL and rustls with aws-lc-rs, which take minutes to build.
BENCH = $(released) $(CARGO) run --quiet --release --locked --manifest-path benches/Cargo.toml --bin
bench bench-post-quantum: tools
	$(if $(findstring post,$@),@tests/need perl:perl make:make c++:g++)
	$(BENCH) handshake $(if $(findstring post,$@),--features post-quantum) >benches/report
	$(BENCH) paths >>benches/report
	cat benches/report

# What is installed where, as SOURCE:PLACE below $(PREFIX), beside the program and its unit.
files = $(foreach page,$(wildcard dist/man/*),$(page):share/man/man$(patsubst .%,%,$(suffix $(page)))/$(notdir $(page))) \
	$(foreach sample,$(wildcard dist/examples/*),$(sample):share/doc/handclasp/examples/$(notdir $(sample))) \
	dist/config:share/doc/handclasp/examples/config \
	dist/monitoring.md:share/doc/handclasp/monitoring.md \
	dist/completions/handclasp.bash:share/bash-completion/completions/handclasp \
	dist/completions/_handclasp:share/zsh/vendor-completions/_handclasp \
	dist/completions/handclasp.fish:share/fish/vendor_completions.d/handclasp.fish \
	dist/sysusers.conf:lib/sysusers.d/handclasp.conf \
	dist/tmpfiles.conf:lib/tmpfiles.d/handclasp.conf

install: build install-files

install-files:
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/sbin/handclasp
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/sbin/|$(PREFIX)/sbin/|' dist/handclasp.service >$(DESTDIR)$(UNITDIR)/handclasp.service
	@for file in $(files); do install -v -D -m 0644 "$${file%%:*}" "$(DESTDIR)$(PREFIX)/$${file#*:}" || exit; done

# What `install` with the same PREFIX and DESTDIR has put there; the configuration in /etc stays.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/handclasp $(DESTDIR)$(UNITDIR)/handclasp.service
	rm -f $(foreach file,$(files),"$(DESTDIR)$(PREFIX)/$(lastword $(subst :, ,$(file)))")
	-rmdir $(DESTDIR)$(PREFIX)/share/doc/handclasp/examples $(DESTDIR)$(PREFIX)/share/doc/handclasp

# A Debian package of what `install` installs. cargo-deb is built for it, once.
deb: build
	@tests/need dpkg-shlibdeps:dpkg-dev
	@command -v cargo-deb >/dev/null || $(CARGO) install --locked --root $(TARGET_DIR)/tools cargo-deb
	rm -rf target/deb
	$(MAKE) --no-print-directory install-files DESTDIR=target/deb PREFIX=/usr
	strip target/deb/usr/sbin/handclasp
	gzip -9 -n target/deb/usr/share/man/man*/*
	PATH="$(TARGET_DIR)/tools/bin:$$PATH" $(CARGO) deb --no-build --no-strip

clean:
	$(CARGO) clean
