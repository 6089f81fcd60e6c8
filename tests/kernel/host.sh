# What prepare, run and demo share on the host: where things are, and which machines there are.
# Each machine is one Debian suite: its kernel, its NFS and NVMe tools, its tlshd.
#
#   machine   suite    kernel                 tlshd
#   6.12      trixie   6.12, long-term        1.0.0 (1.4.0 fails every handshake on this kernel)
#   7.2       sid      the newest there is    1.4.0 (the first that uses a SHA-384 PSK as one)
set -euo pipefail

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$project/tests/kernel
work=$project/target/kernel

suite_of() {
    case $1 in
    6.12) echo trixie ;;
    7.2) echo sid ;;
    *) die "no such machine: '$1' (there are 6.12 and 7.2)" ;;
    esac
}

say() { echo "$(basename "$0"): $*" >&2; }
die() {
    say "$*"
    exit 2
}

# What network a machine has, and what its kernel is told: a script may say otherwise.
network=(-net none)
kernel_options=

# `no_timer_check`: on a busy host an emulated timer can be late for the kernel's own test of it.
# Boots the machine of SUITE for the job in DIRECTORY (below the project), prints what the job says, and always ends.
boot_machine() { # SUITE DIRECTORY SECONDS
    local suite=$1 directory=$2 seconds=$3
    timeout --kill-after=5 "$seconds" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "${memory:-1024}" \
        -display none -monitor none "${network[@]}" -no-reboot \
        -kernel "$work/$suite.vmlinuz" -initrd "$work/$suite.initramfs" \
        -append "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check $kernel_options job=${directory#"$project"/}" \
        -serial "file:$directory/serial.log" -serial stdio \
        -virtfs "local,path=$work/$suite,mount_tag=tree,security_model=none,multidevs=remap,readonly=on" \
        -virtfs "local,path=$project,mount_tag=project,security_model=none,multidevs=remap" </dev/null
}

# A job is a directory that the machine finds its orders in and leaves its logs in; the last one's stays as DIRECTORY.before.
new_job() { # DIRECTORY CLIENT SERVER
    rm -rf "$1.before"
    [ ! -e "$1" ] || mv "$1" "$1.before"
    mkdir -p "$1"
    printf 'CLIENT=%s SERVER=%s\n' "$2" "$3" >"$1/job"
    [ "$2$3" = tlshdtlshd ] || cp "$(handclasp)" "$1/handclasp"
}

# The binary under test: $HANDCLASP, else the project's release build.
handclasp() {
    [ -n "${HANDCLASP:-}" ] || make --silent -C "$project" build >&2 ||
        die "handclasp does not build"
    echo "${HANDCLASP:-${CARGO_TARGET_DIR:-$project/target}/release/handclasp}"
}
