# The vocabulary of the scenarios: two hosts, their agents, an NFS server, an NVMe target, and what to expect of them.
# Host c is the client, host s the server: each is a network namespace with its own handshake agent.

certificates=/project/target/kernel/certificates
client_address=192.0.2.1 server_address=192.0.2.2 server_address6=2001:db8::2
tracing=/sys/kernel/tracing
consumer=/usr/src/handclasp-consumer

fail() {
    echo "FAILED: $*"
    exit 1
}
skip() {
    echo "SKIPPED: $*"
    exit 77
}

# Waits for a condition, never for a time: polls until COMMAND succeeds, and fails after four times the SECONDS that are enough on an
# idle host.
wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + 4 * $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
        sleep 0.1
    done
}
not() { ! "$@"; }

# The two hosts.

# Not `ip netns exec`, which mounts a new /sys and so hides configfs.
on() { # HOST COMMAND...
    local host=$1
    shift
    nsenter --net=/run/netns/"$host" "$@"
}

make_hosts() {
    local host
    ip link set lo up
    for host in c s; do
        ip netns add $host
        ip -n $host link set lo up
    done
    ip link add veth netns c type veth peer veth netns s
    ip -n c address add $client_address/24 dev veth
    ip -n s address add $server_address/24 dev veth
    ip -n c address add 2001:db8::1/64 dev veth nodad
    ip -n s address add $server_address6/64 dev veth nodad
    ip -n c link set veth up
    ip -n s link set veth up
    printf '%s\n' '127.0.0.1 localhost' "$client_address client.test" "$server_address server.test" >/etc/hosts
}

tls_stat() { on "$1" sed -n "s/^$2[[:space:]]*//p" /proc/net/tls_stat; } # HOST COUNTER

# Expects that both kernels say they have encrypted and decrypted, and without an error. (Each counter of TLS is per host.)
carried_by_ktls() {
    local host counter
    for host in c s; do
        on $host cat /proc/net/tls_stat
        for counter in TlsTxSw TlsRxSw; do
            [ "$(tls_stat $host $counter)" -gt 0 ] || fail "$counter of host $host is 0"
        done
        [ "$(tls_stat $host TlsDecryptError)" = 0 ] || fail "host $host saw decryption errors"
    done
}

# The modules are loaded beforehand: under emulation that takes longer than nfsd's five seconds for a handshake.
start_everything() {
    modprobe -a tls aesni-intel nfsd nfsv4 nvmet-tcp nvme-tcp
    insmod $consumer/handclasp_consumer.ko
    make_hosts
    nfs_server_start
    nvme_target_start
    [ ! -e "$job/handclasp" ] || install "$job/handclasp" /run/handclasp
    echo 1 >$tracing/events/handshake/enable
}

# Leaves both hosts as start_everything made them.
clean_up() {
    local host
    umount -f -l /mnt
    nvme disconnect-all
    psk_clear
    keyctl clear @u
    for host in c s; do agent_kill $host; done
    pkill 'driver|perl|mount.nfs4|openssl'
}

# The agents.

# Writes an agent's configuration, in tlshd's format, and starts the agent with it.
agent() { # HOST CERTIFICATE|none [AUTHORITY]
    configure "$@"
    agent_start "$1"
}

configure() { # HOST CERTIFICATE|none [AUTHORITY]
    local host=$1 certificate=$2 section
    {
        printf '[debug]\nloglevel=%d\ntls=0\nnl=0\n[authenticate]\n' "${loglevel:-1}"
        for section in client server; do
            printf '[authenticate.%s]\nx509.truststore=%s\n' $section "/run/$host.authority.pem"
            [ "$certificate" = none ] ||
                printf 'x509.certificate=%s\nx509.private_key=%s\n' "/run/$host.pem" "/run/$host.key"
        done
    } >"/run/$host.conf"
    install -m 644 "$certificates/${3:-ca}.pem" "/run/$host.authority.pem"
    [ "$certificate" = none ] || install_certificate "$host" "$certificate"
}

install_certificate() { # HOST CERTIFICATE
    install -m 644 "$certificates/$2.pem" "/run/$1.pem"
    install -m 600 "$certificates/$2.key" "/run/$1.key"
}

program_of() { # HOST: which program is the agent there
    case $1 in c) echo "$CLIENT" ;; s) echo "$SERVER" ;; esac
}

# The agent listens once a generic netlink socket of it has joined a multicast group. (nfs-utils has such sockets, too.)
agent_listens() { # HOST
    local inode
    for inode in $(on "$1" sed -nE 's/^[0-9a-f]+ +16 +[0-9]+ +0*[1-9a-f].* ([0-9]+) *$/\1/p' /proc/net/netlink); do
        ls -l "/proc/$(agent_pid "$1")/fd" | grep -qF "socket:[$inode]" && return
    done
    return 1
}

agent_start() { # HOST
    local host=$1 command
    case $(program_of "$host") in
    handclasp) command=(/run/handclasp agent --config "/run/$host.conf" --status "/run/$host.status" "${agent_options[@]}") ;;
    tlshd) command=(tlshd --stderr --config "/run/$host.conf") ;;
    esac
    rmdir "$(agent_cgroup "$host")" 2>/dev/null || true
    mkdir -p "$(agent_cgroup "$host")"
    ${limited-} nsenter --net="/run/netns/$host" bash -c 'echo $$ >"$1/cgroup.procs" && exec "${@:2}"' - \
        "$(agent_cgroup "$host")" "${command[@]}" >>"$(agent_log "$host")" 2>&1 &
    echo $! >"/run/$host.pid"
    wait_for 10 "the agent of $host to listen" agent_listens "$host"
}

# More options for agents of ours.
agent_options=()

agent_cgroup() { echo "/sys/fs/cgroup/$1"; }       # HOST: all processes of its agent
agent_log() { echo "$job/$scenario.$1.log"; }       # HOST
agent_pid() { cat "/run/$1.pid"; }                 # HOST
agent_runs() { kill -0 "$(agent_pid "$1")"; }      # HOST
agent_signal() { kill "-$2" "$(agent_pid "$1")"; } # HOST SIGNAL

agent_kill() { # HOST
    agent_signal "$1" KILL 2>/dev/null || true
    wait "$(agent_pid "$1")" 2>/dev/null || true
    wait_for 5 "the agent of $1 to be gone" not agent_runs "$1"
}

# Skips what this machine's tlshd is known to get wrong.
tlshd_cannot() { # HOST VERSION-PATTERN WHAT
    [ "$(program_of "$1")" = tlshd ] && tlshd -v 2>&1 | grep -q "ktls-utils $2" && skip "tlshd $2 $3"
    true
}

# Expects a line in the log of our agent; what tlshd logs is not our concern.
agent_says() { # HOST REGULAR-EXPRESSION
    [ "$(program_of "$1")" = handclasp ] || return 0
    wait_for 5 "a line of the agent of $1 like /$2/" grep -qE "$2" "$(agent_log "$1")"
}

# Expects that two agents of ours agree on the hybrid group, whose ClientHello is longer than one TCP segment.
post_quantum() {
    [ "$CLIENT $SERVER" = "handclasp handclasp" ] || return 0
    agent_says c 'done in .*, X25519MLKEM768'
    agent_says s 'done in .*, X25519MLKEM768'
}

# What the consumers were told: the status (0 or -errno) of each handshake of HOST, in order, from the kernel's tracepoints.
# The event does not name its host, but who asks does: nfsd asks for the NFS server and a process that connects for the
# NVMe host; a worker of the kernel asks for their peer, so for s in the scenarios of NVMe and for c in those of NFS.
statuses() { # HOST
    local line asks pattern='^ *(.*)-[0-9]+ .*handshake_(submit|complete): req=([0-9a-f]+) sk=[0-9a-f]+( status=(.*))?'
    local -A host_of
    while read -r line; do
        [[ $line =~ $pattern ]] || continue
        case ${BASH_REMATCH[1]} in
        nfsd) asks=s ;;
        kworker*) [[ $scenario == nvme-* ]] && asks=s || asks=c ;;
        *) asks=c ;;
        esac
        case ${BASH_REMATCH[2]} in
        submit) host_of[${BASH_REMATCH[3]}]=$asks ;;
        complete) [ "${host_of[${BASH_REMATCH[3]}]-}" != "$1" ] || echo "${BASH_REMATCH[5]}" ;;
        esac
    done <$tracing/trace
}
told() { statuses "$1" | grep -qxE -- "$2"; } # HOST STATUS

# Expects that our agent on HOST answered with a status like STATUS: what tlshd answers is not our concern.
agent_answers() { # HOST STATUS
    [ "$(program_of "$1")" = handclasp ] || return 0
    local end=$((SECONDS + 60))
    until told "$1" "$2"; do
        [ $SECONDS -lt $end ] || fail "the agent of $1 did not answer $2, but: $(statuses "$1" | tr '\n' ' ')"
        sleep 0.5
    done
}
workers_of() { cat "/proc/$(agent_pid "$1")/task/$(agent_pid "$1")/children"; } # HOST
# Of this scenario's requests: the timer of one that an earlier scenario has left can run out meanwhile. (A request's memory is used again.)
nobody_timed_out() {
    awk 'match($0, /req=[0-9a-f]+/) { request = substr($0, RSTART, RLENGTH) }
        /handshake_submit:/ { is_ours[request] = 1 }
        /handshake_destruct:/ { is_ours[request] = 0 }
        /handshake_cancel:/ && is_ours[request] { print; is_late = 1 }
        END { exit is_late }' $tracing/trace || fail "a consumer's own timer ran out before its agent answered"
}

# NFS.

nfs_server_start() {
    mkdir -p /srv /mnt
    mount -t tmpfs tmpfs /srv
    mkdir /srv/tls /srv/mtls
    mount -t tmpfs tmpfs /srv/mtls
    mkdir -p /var/lib/nfs/{rpc_pipefs,v4recovery,sm,sm.bak,nfsdcld}
    touch /var/lib/nfs/{etab,rmtab} /etc/exports
    on s mount -t nfsd nfsd /proc/fs/nfsd
    on s mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
    on s nfsdcld
    on s exportfs -o rw,no_root_squash,insecure,no_subtree_check,fsid=0,xprtsec=tls:mtls '*:/srv'
    on s exportfs -o rw,no_root_squash,insecure,no_subtree_check,fsid=1,xprtsec=mtls '*:/srv/mtls'
    on s rpc.mountd --no-nfs-version 3
    on s rpc.nfsd --no-nfs-version 3 --grace-time 10 2
}

nfs_mount() { # XPRTSEC PATH [HOST-NAME] [OPTIONS]
    local security=$1 path=$2 name=${3:-server.test} options=${4:+,$4}
    on c timeout 30 mount -v -t nfs4 -o "vers=4.2,retry=0,xprtsec=$security$options" "$name:$path" /mnt
}

# Writes through the mount, reads back through a new one, and compares with what the server has on its disk.
nfs_compare() { # XPRTSEC PATH [HOST-NAME] [OPTIONS]
    local data=/run/data
    head -c 1000000 /dev/urandom >$data
    nfs_mount "$@" || fail "the mount was refused"
    cp $data /mnt/data
    umount /mnt
    cmp $data "/srv$2/data" || fail "the server has other data than the client wrote"
    nfs_mount "$@" || fail "the second mount was refused"
    cmp $data /mnt/data || fail "the client reads other data than it wrote"
    umount /mnt
}

# What a mount says when the server refuses the client: in TLS 1.3 the client is ready by then, and hears of it at some later call.
refused_late='access denied|operation not permitted|input/output|broken pipe'
nfs_refused() { # MESSAGE XPRTSEC PATH [HOST-NAME] [OPTIONS]
    local message=$1
    shift
    nfs_mount "$@" >/run/mount.out 2>&1 && fail "the mount was not refused"
    cat /run/mount.out
    [ "$CLIENT" = tlshd ] || grep -qiE "$message" /run/mount.out || fail "the mount was refused, but not with /$message/"
}

# NVMe over TCP.

host_nqn=nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555
host_id=11111111-2222-3333-4444-555555555555
subsystem_nqn=nqn.2026-01.test:disk
disk=/srv/disk

nvme_target_start() {
    local nvmet=/sys/kernel/config/nvmet
    truncate -s 16M $disk
    mkdir $nvmet/subsystems/$subsystem_nqn
    echo 1 >$nvmet/subsystems/$subsystem_nqn/attr_allow_any_host
    mkdir $nvmet/subsystems/$subsystem_nqn/namespaces/1
    echo $disk >$nvmet/subsystems/$subsystem_nqn/namespaces/1/device_path
    echo 1 >$nvmet/subsystems/$subsystem_nqn/namespaces/1/buffered_io
    echo 1 >$nvmet/subsystems/$subsystem_nqn/namespaces/1/enable
    mkdir $nvmet/ports/1
    echo ipv4 >$nvmet/ports/1/addr_adrfam
    echo tcp >$nvmet/ports/1/addr_trtype
    echo $server_address >$nvmet/ports/1/addr_traddr
    echo 4420 >$nvmet/ports/1/addr_trsvcid
    echo tls1.3 >$nvmet/ports/1/addr_tsas
    echo required >$nvmet/ports/1/addr_treq
    on s ln -s $nvmet/subsystems/$subsystem_nqn $nvmet/ports/1/subsystems/$subsystem_nqn
}

# Inserts a key made of one hexadecimal digit, and prints its serial. Both hosts find what is in .nvme; what is in
# another keyring, only the client does, if nvme_connect_raw tells it. An identity of version 1 holds a digest of the
# key; one of version 0 (identity=0) does not, so that two keys can share it.
psk() { # HMAC(1=SHA-256, 2=SHA-384) DIGIT [KEYRING]
    local length=$((32 + 16 * ($1 - 1))) answer
    answer=$(nvme gen-tls-key --hmac "$1" --identity "${identity:-1}" --hostnqn $host_nqn --subsysnqn $subsystem_nqn --insert \
        --keyring "${3:-.nvme}" --secret "$(printf "%0$((length * 2))d" 0 | tr 0 "$2")" 2>&1)
    echo $((0x$(sed -n 's/^Inserted TLS key //p' <<<"$answer")))
}
client_keyring() { # prints its serial
    local keyring
    keyring=$(keyctl newring client @u)
    keyctl setperm "$keyring" 0x3f3f0000
    echo "$keyring"
}
# A key of .nvme may only be changed by who possesses it.
key_change() { keyctl session - sh -c "keyctl link %keyring:.nvme @s && keyctl $*"; } # KEYCTL-ARGUMENT...
psk_clear() { keyctl clear %keyring:.nvme; }

nvme_connect() {
    on c timeout 40 nvme connect -t tcp -a $server_address -s 4420 -n $subsystem_nqn --hostnqn $host_nqn \
        --hostid $host_id --nr-io-queues 1 --tls
}
# The same without nvme-cli, which hides the errno, and for which each option must be its own.
nvme_connect_raw() { # [PORT] [,OPTION=VALUE...]
    on c timeout 40 bash -c "echo transport=tcp,traddr=$server_address,trsvcid=${1:-4420},nqn=$subsystem_nqn,$(:
        )hostnqn=$host_nqn,hostid=$host_id,nr_io_queues=1,tls${2-} >/dev/nvme-fabrics"
}
nvme_disconnect() { on c nvme disconnect -n $subsystem_nqn; }

# Writes through the host, compares what the target has, reads back through a new connection.
nvme_compare() {
    local data=/run/data
    head -c 1048576 /dev/urandom >$data
    nvme_connect || fail "the connect was refused"
    wait_for 10 "the disk" test -b /dev/nvme0n1
    dd if=$data of=/dev/nvme0n1 bs=64k oflag=direct
    nvme_disconnect
    cmp -n 1048576 $data $disk || fail "the target has other data than the host wrote"
    nvme_connect || fail "the second connect was refused"
    wait_for 10 "the disk" test -b /dev/nvme0n1
    dd if=/dev/nvme0n1 bs=64k count=16 iflag=direct | cmp - $data || fail "the host reads other data than it wrote"
    nvme_disconnect
}

nvme_refused() { # MESSAGE [PORT] [,OPTION=VALUE...]
    local message=$1
    shift
    nvme_connect_raw "$@" >/run/nvme.out 2>&1 && fail "the connect was not refused"
    cat /run/nvme.out
    dmesg | tail -n 3
    [ "$CLIENT" = tlshd ] || grep -qiE "$message" /run/nvme.out || fail "the connect was refused, but not with /$message/"
}

# Peers that are no agent, and most of which speak no TLS.

listen() { # PORT PERL: host s accepts one connection, \$peer, and does with it what PERL says
    on s perl -MIO::Socket::INET -e '
        my $listener = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 1, ReuseAddr => 1) or die $!;
        my $peer = $listener->accept; $peer->autoflush(1); eval $ARGV[1]' "$1" "$2" &
    wait_for 10 "the peer to listen" listens "$1"
}
s_server() { # PORT OPTION...: OpenSSL accepts one connection on host s, and sends "ping"
    { printf ping && sleep 60; } | on s openssl s_server -4 -port "$1" -naccept 1 -quiet -tls1_3 "${@:2}" &
    wait_for 20 'openssl to listen' listens "$1"
}
hex() { od -An -v -tx1 | tr -d ' \n'; } # of standard input, as openssl wants a PSK
listens() { on s grep -qi ":$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp; } # PORT

send() { # PORT TEXT: host c connects to the server, sends the TEXT, and waits
    on c perl -MIO::Socket::INET -e '
        my $server = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die $!;
        $server->autoflush(1); print $server eval qq("$ARGV[2]"); sleep 60' $server_address "$1" "$2" &
}

flood() { # PORT COUNT: host c keeps that many connections to the server; every other one sends the head of a record
    on c perl -MIO::Socket::INET -MIO::Select -e '
        my ($address, $port, $count) = @ARGV; my $peers = IO::Select->new;
        for (my $number = 0; ; ) {
            while ($peers->count < $count) {
                my $peer = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port) or last;
                syswrite $peer, "\x16\x03\x01\x02\x00" if $number++ % 2;
                $peers->add($peer);
            }
            for ($peers->can_read(1)) { sysread($_, my $told, 4096) or $peers->remove($_), close $_ }
        }' $server_address "$1" "$2" &
}

# A consumer of our own (see consumer/driver.c), which asks for what NFS and NVMe never do.

# Both ends play the STEPs and tell what they saw in one line: a row of the table, to compare with what is EXPECTED.
row() { # NAME EXPECTED STEP...
    local name=$1 expected=$2 found
    shift 2
    found=$(timeout 100 $consumer/driver "$@") || true
    printf '%s\t%s\n' "$name" "$found" >>"$job/table"
    echo "$name: $found"
    [ "$found" = "$expected" ] || {
        echo "    expected: $expected"
        differing+=("$name")
    }
}
differing=()
# What tlshd tells is for the table, and not our concern.
as_expected() {
    [ "$CLIENT$SERVER" = handclasphandclasp ] || return 0
    [ ${#differing[@]} = 0 ] || fail "not as expected: $(printf '%s; ' "${differing[@]}")"
}

# A keyring that the agents do not possess, because the way to it forbids a search: a request must name it.
private_keyring() { # NAME: prints its serial
    local vault keyring
    vault=$(keyctl newring "vault of $1" @u)
    keyring=$(keyctl newring "$1" "$vault")
    keyctl setperm "$keyring" 0x3f3f0000
    keyctl setperm "$vault" 0x37370000
    echo "$keyring"
}
# A PSK made of one digit, which only those may read who possess it.
raw_psk() { # IDENTITY DIGIT KEYRING: prints its serial
    printf "%032d" 0 | tr 0 "$2" | keyctl padd psk "$1" "$3"
}
