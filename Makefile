# Handclasp: two commands do everything on a fresh Debian machine with a Rust toolchain, as root:
#   make demo    the main job, on a real kernel in an emulated machine
#   make test    everything there is to check
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
CARGO ?= cargo
BINARY = $(or $(CARGO_TARGET_DIR),target)/release/handclasp

.PHONY: build demo test unit miri fuzz-smoke peers bogo kernel lint bench install clean tools

build: tools
	$(CARGO) build --release --locked

# What the tests need beside cargo, from Debian; each is installed only if it is missing.
tools:
	@tests/need cargo:cargo cc:gcc git:git

demo: tools
	tests/kernel/demo

test: lint unit fuzz-smoke peers bogo kernel
	@echo "make test: lint, unit, fuzz-smoke, peers, bogo and kernel have passed"

unit: tools
	@tests/need valgrind:valgrind
	$(CARGO) test --locked --lib --bins --tests
	$(CARGO) test --locked --doc

# Every fuzz target from its kept corpus, 60 seconds in all, under AddressSanitizer.
fuzz-smoke: tools
	@tests/need c++:g++
	fuzz/smoke

# Readers and secrets under Miri, as far as ring, which it cannot run, is not in it. It needs rustup, and is no part of `make test`.
miri: tools
	rustup toolchain install nightly --profile minimal --component miri --component rust-src
	$(CARGO) +nightly miri test --locked --lib --no-default-features -- \
		codec:: secret:: pem:: message:: alert:: --skip no_strict_prefix

# OpenSSL and GnuTLS as peers, in both directions; openssl as a second opinion on certificate paths.
peers: tools
	@tests/need openssl:openssl gnutls-serv:gnutls-bin mmdebstrap:mmdebstrap gpg:gpg
	tests/peers/prepare
	$(CARGO) test --locked --test peers -- --ignored --nocapture
	$(CARGO) test --locked --test openssl_agree -- --ignored --nocapture

# BoringSSL's protocol test runner.
bogo: tools
	tests/bogo/run

# NFS and NVMe/TCP over TLS on real kernels, in an emulated machine.
kernel: tools
	tests/kernel/test

lint: tools
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	$(CARGO) check --locked --lib --no-default-features
	$(CARGO) clippy --locked --no-default-features --features minimal -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --document-private-items

bench: tools
	$(CARGO) bench --locked --benches

install: build
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/sbin/handclasp
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|/usr/|$(PREFIX)/|' dist/handclasp.service >$(DESTDIR)$(UNITDIR)/handclasp.service
	install -D -m 0644 dist/config $(DESTDIR)$(PREFIX)/share/doc/handclasp/config.example

clean:
	$(CARGO) clean
