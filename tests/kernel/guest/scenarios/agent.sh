# The agent's own life: absent, killed, restarted, reloaded, ended, and used for long.

# nfsd hangs up at once; the client takes that for a time-out and tries again for as long as mount lets it.
no-agent-on-server() {
    agent c none
    nfs_mount tls /tls &
    agent_answers c -110
    agent_says c 'FAILED.*closed'
    nobody_timed_out
}

no-agent-on-client() {
    agent s server
    nfs_refused 'access denied|no such process' tls /tls
}

# nfsd waits five seconds for an agent, and gives its client up.
silent-nfs-client() {
    agent s server
    # RFC 5531 and 9289: a call of NFSv4's procedure NULL with AUTH_TLS, which nfsd answers with STARTTLS and a handshake.
    send 2049 '\x80\0\0\x28\0\0\0\1\0\0\0\0\0\0\0\2\0\1\x86\xa3\0\0\0\4\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0'
    agent_answers s -110
    agent_says s 'FAILED with ETIMEDOUT'
    nobody_timed_out
}

# A server that says STARTTLS (RFC 9289, Section 4.1) and resets the connection when the ClientHello comes: sunrpc wakes nobody for that.
nfs-resetting-server() {
    agent c none
    listen 2050 'sysread $peer, my $call, 4096;
        print $peer pack "N a4 N4 a8 N", 0x80000020, substr($call, 4, 4), 1, 0, 0, 8, "STARTTLS", 0;
        sysread $peer, my $hello, 4096; setsockopt $peer, SOL_SOCKET, SO_LINGER, pack "i2", 1, 0; close $peer'
    nfs_mount tls /tls server.test port=2050 && fail "the mount was not refused"
    agent_answers c '-[0-9]+'
    agent_says c FAILED
    [ "$CLIENT" = tlshd ] || ! grep 'did not finish within' "$(agent_log c)" || fail "it waited for its deadline"
    nobody_timed_out
}

# The server's agent dies while a handshake waits for it: the client is told, and the next agent serves the next mount.
killed-in-handshake() {
    local mount
    agent c none
    agent s server
    agent_signal s STOP
    nfs_mount tls /tls &
    mount=$!
    wait_for 10 "the client's agent to have sent its hello" grep -q 'handshake_cmd_accept:' $tracing/trace
    agent_kill s
    agent_answers c '-[0-9]+'
    agent_says c FAILED
    agent_start s
    wait $mount || true
    umount /mnt 2>/dev/null || true
    nfs_compare tls /tls
}

# What was asked before the agent came is answered when it comes. (NVMe's consumers wait ten seconds for it, nfsd five.)
nvme-pending-at-start() {
    local connect host
    psk 1 a
    agent c none
    agent s none
    for host in c s; do agent_signal $host STOP; done
    nvme_connect_raw &
    connect=$!
    wait_for 30 "both requests to be pending" both_pending
    for host in c s; do agent_kill $host; done
    for host in c s; do agent_start $host; done
    wait $connect || fail "the connect was refused"
    nobody_timed_out
}
both_pending() { [ "$(grep -c 'handshake_submit:' $tracing/trace)" = 2 ]; }

agent-reload() {
    tlshd_cannot s 1 'does not say when it has reloaded'
    agent c none
    agent s server-expired
    nfs_refused 'access denied' tls /tls
    install_certificate s server
    agent_signal s HUP
    wait_for 10 "the agent to say that it has reloaded" has_reloaded s
    nfs_compare tls /tls
}
has_reloaded() { grep -q '^reloaded ' "$(agent_log "$1")"; } # HOST

agent-terminate() {
    agent c none
    agent s server
    nfs_compare tls /tls
    agent_signal s TERM
    wait "$(agent_pid s)" || fail "the agent ended with status $?"
}

# Nothing is left behind by fifty connects: no descriptor, no key, no memory, in either agent or in the kernel.

nfs-fifty-times() {
    agent c client
    agent s server
    fifty_times mount_and_unmount
}
mount_and_unmount() {
    on c mount -i -t nfs4 -o "vers=4.2,xprtsec=mtls,addr=$server_address,clientaddr=$client_address" server.test:/mtls /mnt
    umount /mnt
}

nvme-fifty-times() {
    psk 1 a
    agent c none
    agent s none
    fifty_times connect_and_disconnect
}
connect_and_disconnect() {
    nvme_connect_raw
    echo 1 >/sys/class/nvme/nvme0/delete_controller
}

fifty_times() { # COMMAND
    local before memory host grown _
    for _ in {1..5}; do "$1"; done
    before=$(left_behind)
    memory=("$(memory_of c)" "$(memory_of s)")
    for _ in {1..50}; do "$1"; done
    diff <(echo "$before") <(left_behind) || [ "$CLIENT$SERVER" != handclasphandclasp ] || fail "left something behind"
    for host in c s; do
        grown=$(($(memory_of $host) - memory[0]))
        memory=("${memory[@]:1}")
        echo "agent of $host: grown by $grown KiB"
        [ "$(program_of $host)" = tlshd ] || [ $grown -lt 256 ] || fail "the agent of $host grew by $grown KiB in fifty connects"
    done
}
left_behind() {
    local host
    for host in c s; do echo "agent of $host: $(ls "/proc/$(agent_pid $host)/fd" | wc -l) descriptors"; done
    echo "$(wc -l </proc/keys) keys"
}
memory_of() { sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(agent_pid "$1")/status"; } # HOST: in KiB
