# What goes wrong on a bad day: processes that die, answers that are refused, no memory, no room for the log. No consumer waits
# longer for it than its own timer, and what came before and comes after is served.

# A worker's death costs the handshakes that it was in, in whichever state they were.
consumer-worker-killed() {
    local of_c='pair c.anon=name=server.test' both='c.anon=name=server.test s.x509' count
    agent c none
    agent s server
    row 'worker killed: the hello is sent (client)' 'c ETIMEDOUT' $of_c s.readable $(kill_workers c) c.wait
    row 'worker killed: nothing has come (server)' 's ETIMEDOUT' pair s.x509 s.held="$(held_by s)" $(kill_workers s) s.wait
    row 'worker killed: half a hello has come (server)' 's ETIMEDOUT' \
        pair s.x509 s.held="$(held_by s)" c.raw=1603030200 s.consumed $(kill_workers s) s.wait
    row 'worker killed: Finished has not come (server)' 's ETIMEDOUT, c ETIMEDOUT' \
        relay c.hold=1 $both s.sent=3 $(kill_workers s) s.wait s.shutdown c.wait
    row 'worker killed: half of the answer has come (client)' 'c ETIMEDOUT, s ETIMEDOUT' \
        relay s.hold=1 $both s.sent=3 c.consumed $(kill_workers c) c.wait c.shutdown s.wait
    row 'worker killed: it has asked for a signature (server)' 's ETIMEDOUT, c ETIMEDOUT' \
        relay s.x509 s.held="$(held_by s)" kill="$(agent_pid s):19" c.anon=name=server.test c.sent=1 s.consumed $(idle_workers s) \
        $(kill_workers s) kill="$(agent_pid s):18" s.wait s.shutdown c.wait
    row 'worker killed: it has reported the session (server)' 'c 0, s 0, s data:ping' \
        relay c.hold=1 $both c.wait kill="$(agent_pid s):19" c.release=2 s.consumed $(idle_workers s) \
        $(kill_workers s) kill="$(agent_pid s):18" s.wait c.send=ping s.receive
    row 'after all that' 'c 0, s 0' pair $both c.wait s.wait
    for count in c=2 s=4; do
        [ "$(grep -c 'FAILED with ETIMEDOUT.*that did the handshake ended' "$(agent_log "${count%=*}")")" = "${count#*=}" ] ||
            fail "another reason than the worker's end in ${count%=*}"
    done
    nobody_timed_out
    as_expected
}
both_workers() { [ "$(workers_of "$1" | wc -w)" = 2 ]; } # HOST
# Steps for the driver; before them, all workers must be there.
kill_workers() { each_worker "$1" kill= :9; }  # HOST
idle_workers() { each_worker "$1" idle= ''; }  # HOST
held_by() { each_worker "$1" '' '' | paste -s -d :; } # HOST
each_worker() { # HOST BEFORE AFTER
    local worker
    wait_for 20 "the workers of $1" both_workers "$1" >&2
    for worker in $(workers_of "$1"); do echo "$2$worker$3"; done
}

# The kernel keeps for the next agent what none has taken; of what one has taken it learns nothing more.
consumer-agent-killed() {
    agent c none
    agent s server
    for host in c s; do agent_signal $host STOP; done
    (
        wait_for 60 'both requests to be pending' both_pending
        for host in c s; do agent_kill $host; done
        for host in c s; do agent_start $host; done
    ) &
    row 'agents killed before ACCEPT, others come' 'c 0, s 0' pair c.anon s.x509 $both
    row 'agent killed in the handshake' 'c silence, c cancelled' pair c.anon s.readable kill="$(agent_pid c):9" c.wait=3000 c.cancel
    wait_for 20 'its workers to end' no_process_left c
    agent_start c
    row 'another agent comes' 'c 0, s 0' pair c.anon s.x509 $both
    as_expected
}
no_process_left() { [ ! -s "$(agent_cgroup "$1")/cgroup.procs" ] || ! read -r _ <"$(agent_cgroup "$1")/cgroup.procs"; } # HOST

# The kernel calls more often than a stopped agent can hear: who asks then is refused, but nothing that was in the kernel's queue is
# lost, and nothing that comes after.
consumer-calls-lost() {
    local limit=timeout=50000
    agent c none
    agent s server
    agent_signal c STOP
    row 'calls of the kernel lost' 'c ESRCH, c 0, s 0' \
        pair c.anon=$limit,name=server.test s.x509=$limit c.nag kill="$(agent_pid c):18" $both
    row 'after that' 'c 0, s 0' pair c.anon s.x509 $both
    agent_says c 'the kernel called more often than it could be heard'
    as_expected
}

# The kernel refuses the agent's answer: memory comes back, and a refusal for good leaves the next ones alone.
consumer-done-refused() {
    agent c none
    agent s server
    refuse_done ENOMEM 1
    row 'DONE refused once for lack of memory' 'c 0, s 0' pair c.anon s.x509 $both
    refuse_done EINVAL 1
    row 'DONE refused once' 'c EIO, s 0' relay c.hold=1 c.anon=name=server.test s.x509 c.wait c.release=2 s.wait
    refuse_done EINVAL 1000
    row 'DONE refused for good' 'c silence, c cancelled' pair c.anon s.readable s.shutdown c.wait=3000 c.cancel
    refuse_done EINVAL 0
    row 'after that' 'c 0, s 0' pair c.anon s.x509 $both
    as_expected
}
refuse_done() { # ERRNO COUNT
    local -A number=([ENOMEM]=12 [EINVAL]=22)
    echo "${number[$1]},$2" >/sys/module/handclasp_consumer/parameters/refuse_done
}

# The log is on a disk without room.
consumer-log-full() {
    mkdir -p /run/full
    mount -t tmpfs -o size=64k tmpfs /run/full
    agent_log() { echo "/run/full/$1.log"; }
    agent c none
    agent s server
    # What is left of a file's last page would be room.
    for host in c s; do : >"$(agent_log $host)"; done
    head -c 1M /dev/zero >/run/full/filler 2>/dev/null || true
    row 'no room for the log' 'c 0, s 0' pair c.anon s.x509 $both
    row 'no room for the log, a refusal' 'c EACCES, s EACCES' pair c.anon=name=elsewhere.test s.x509 $both
    grep 'done in' /run/full/c.log && fail 'there was room'
    rm /run/full/filler
    row 'room again' 'c 0, s 0' pair c.anon s.x509 $both
    agent_says c 'done in'
    cp /run/full/*.log "$job"
    umount -l /run/full
    as_expected
}

# A key is read when the handshake needs it, and the handshake is none the worse when it is revoked afterwards.
consumer-revoked-meanwhile() {
    local of_c of_s key key_s cert_s privkey_s client server
    revocable_psk
    agent c none
    agent s none
    row "PSK's keyring revoked before the hello comes (server)" 'c EKEYREJECTED, s EKEYREJECTED' \
        relay c.hold=0 "$client" "$server" s.held="$(agent_pid s)" revoke="$of_s" c.release=1 $both
    revocable_psk
    row 'both keyrings revoked before Finished' "c 0/$key, s 0/$key_s, s data:ping" \
        relay c.hold=1 "$client" "$server" s.sent=3 revoke="$of_c" revoke="$of_s" c.release=2 $both c.send=ping s.receive
    cert_s=$(key_of server.pem.der) privkey_s=$(key_of server.key.der)
    row 'my_privkey revoked before the hello comes (server)' 'c 0, s 0' \
        relay c.hold=0 c.anon=name=server.test s.x509=cert="$cert_s",privkey="$privkey_s" s.held="$(agent_pid s)" c.sent=1 \
        revoke="$privkey_s" c.release=1 $both
    as_expected
}
revocable_psk() {
    of_c=$(private_keyring of-c)
    of_s=$(private_keyring of-s)
    key=$(raw_psk shared a "$of_c")
    key_s=$(raw_psk shared a "$of_s")
    client="c.psk=keyring=$of_c,peerids=$key" server="s.psk=keyring=$of_s"
}

# Memory: of a worker's address space, and of all processes of an agent together.
consumer-no-memory() {
    local agent told worker
    agent c none
    agent s server
    agent=$(agent_pid s)
    for worker in $(workers_of s); do prlimit --pid "$worker" --nofile=3:3; done
    row 'no descriptor left in the workers (server)' 's ENOMEM' pair s.x509 s.wait
    for worker in $(workers_of s); do
        prlimit --pid "$worker" --nofile=4096:4096 --as=$((1024 * $(sed -n 's/^VmSize:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$worker/status")))
    done
    told=$($consumer/driver storm=200:200:anon=name=server.test,timeout=50000:x509=timeout=50000) || true
    echo "no address space: $told"
    all_told 200 "$told"
    wait_for 30 'able workers' both_workers s
    row 'after workers without address space' 'c 0, s 0' pair c.anon s.x509 $both
    # Below 4 MB the kernel does not look at oom_score_adj (it weighs a thousandth of the limit in whole pages): 16 MB more to have.
    bash -c 'echo $$ >"$1/cgroup.procs" && head -c 16M /dev/zero >/run/ballast' - "$(agent_cgroup s)"
    cat "$(agent_cgroup s)/memory.current" >"$(agent_cgroup s)/memory.max"
    told=$($consumer/driver storm=200:200:anon=name=server.test,timeout=50000:x509=timeout=50000) || true
    echo "no memory: $told; $(tr '\n' ' ' <"$(agent_cgroup s)/memory.events")"
    all_told 200 "$told"
    echo max >"$(agent_cgroup s)/memory.max"
    rm /run/ballast
    [ "$(agent_pid s)" = "$agent" ] && agent_runs s || fail 'the agent of s is gone'
    wait_for 30 'able workers' both_workers s
    row 'after the memory of its cgroup was spent' 'c 0, s 0' pair c.anon s.x509 $both
    as_expected
}
all_told() { # TOTAL WHAT-THE-STORM-TOLD: each was told something, of both ends
    local end sum count
    for end in c s; do
        sum=0
        for count in $(grep -oE "$end again:[^,]*" <<<"$2" | grep -oE ' [A-Z0-9]+:[0-9]+' | cut -d : -f 2); do sum=$((sum + count)); done
        [ $sum = "$1" ] || fail "$sum of $1 ends of $end were told anything: $2"
    done
}
