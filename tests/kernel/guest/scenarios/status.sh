# What an operator sees of the agent: its status, its log, and what its service manager hears.

ask_status() { /run/handclasp status --socket "/run/$1.status" "${@:2}"; } # HOST [OPTION...]

ours_alone() { [ "$CLIENT$SERVER" = handclasphandclasp ] || skip "it is about our agent"; }

# A worker that is killed is counted; a file for Prometheus is kept fresh.
status-of-workers-and-textfile() {
    local worker
    ours_alone
    configure s server
    printf '[metrics]\ntextfile=/run/s.prom\n' >>/run/s.conf
    agent_start s
    wait_for 10 "the file" test -s /run/s.prom
    worker=$(pgrep -P "$(agent_pid s)" | head -n 1)
    kill -KILL "$worker"
    agent_says s "worker $worker is replaced"
    wait_for 10 "the status to tell" was_restarted
    wait_for 30 "the file to be fresh" grep -qx 'handclasp_worker_restarts_total 1' /run/s.prom
    [ "$(stat -c %a /run/s.prom)" = 644 ] || fail "the collector cannot read it"
}
was_restarted() { ask_status s | grep -qE '^workers +2 of 2 ready, 1 restarted$'; }

log-for-machines() {
    ours_alone
    agent_options=(--log-format json)
    agent c none
    agent s server
    nfs_compare tls /tls
    wait_for 5 "the line of a mount" grep -qE '^\{"time":"20[0-9-]*T[0-9:.]*Z","level":"info","event":"handshake","netns":"","role":"client","authentication":"anonymous","address":"192.0.2.2:2049","name":"server.test","result":"done","ms":[0-9]+,"suite":"TLS_[^"]*","group":"X25519MLKEM768","peer_kind":"certificate","peer":"CN=[^"]*","alpn":"sunrpc","certificate_hidden":false\}$' "$(agent_log c)"
    ! grep -vE '^\{"time":.*\}$' "$(agent_log c)" || fail "not every line is an object"
}

# A log on a full disk delays nothing, and loses nothing either if there is room again soon.
log-on-a-full-disk() {
    ours_alone
    mkdir -p /run/small
    mount -t tmpfs -o size=64k tmpfs /run/small
    agent_log() { [ "$1" = s ] && echo /run/small/log || echo "$job/$scenario.$1.log"; }
    agent c none
    agent s server
    cat /dev/zero >/run/small/rest || true
    nfs_compare tls /tls
    agent_answers s 0
    nobody_timed_out
    cp /run/small/log "$job/$scenario.full.log"
    rm /run/small/rest
    nfs_compare tls /tls
    agent_says s 'done in'
    [ "$(grep -c 'done in' /run/small/log)" = 4 ] || fail "lines were lost"
    agent_kill s
    umount /run/small
}

# The service manager hears of the start, of life, of a reload, and of the end, and hears nothing of life when the loop is stuck.
service-manager() {
    local before
    ours_alone
    rm -f /run/notify
    perl -MIO::Socket::UNIX -e '
        use Socket; $| = 1;
        socket(my $manager, PF_UNIX, SOCK_DGRAM, 0) or die; bind($manager, pack_sockaddr_un("/run/notify")) or die;
        while (defined recv($manager, my $text, 1000, 0)) { $text =~ s/\n/ /g; print "$text\n" }' >/run/notified &
    wait_for 10 "the manager" test -S /run/notify
    configure s server
    NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=2000000 agent_start s
    wait_for 10 "READY" grep -qx READY=1 /run/notified
    wait_for 10 "signs of life" gave_signs 2
    wait_for 10 "counts" grep -qx 'STATUS=0 handshakes done, 0 failed, 0 in flight' /run/notified
    agent_signal s HUP
    wait_for 10 "the reload" grep -qE '^RELOADING=1 MONOTONIC_USEC=[1-9][0-9]+$' /run/notified
    wait_for 10 "its end" is_ready_again
    agent_signal s STOP
    sleep 2
    before=$(grep -cx WATCHDOG=1 /run/notified)
    sleep 3
    gave_signs $((before + 1)) && fail "a stopped agent gives signs of life"
    agent_signal s CONT
    wait_for 10 "more signs of life" gave_signs $((before + 2))
    agent_signal s TERM
    wait_for 10 "the end" grep -qx STOPPING=1 /run/notified
    cat /run/notified
}
gave_signs() { [ "$(grep -cx WATCHDOG=1 /run/notified)" -ge "$1" ]; } # TIMES
is_ready_again() { [ "$(grep -cx READY=1 /run/notified)" = 2 ]; }
