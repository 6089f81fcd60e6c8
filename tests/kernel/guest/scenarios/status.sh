# What an operator sees of the agent: its status, its log, and what its service manager hears.

ask_status() { /run/handclasp status --socket "/run/$1.status" "${@:2}"; } # HOST [OPTION...]

status-tells-of-mounts() {
    ours_alone
    agent c none
    agent s server
    nfs_compare tls /tls
    install_certificate s server-wrong-name
    wait_for 20 "the agent to say that it has reloaded" has_reloaded s
    nfs_refused 'access denied' tls /tls
    ask_status c
    ask_status c | grep -qE '^ +2 done, X25519MLKEM768, TLS_AES_' || fail "the client's agent does not tell of two mounts and their group"
    ask_status c | grep -qE '^ +[1-9][0-9]* failed, certificate, EACCES$' || fail "nor of the refused one"
    ask_status s | tee /run/status
    grep -qE '^server x509$' /run/status || fail "the server's agent does not tell of its flow"
    grep -qE '^ +[1-9][0-9]* failed, alert, EACCES$' /run/status || fail "nor of the client that refused"
    grep -qE '^workers +2 of 2 ready, 0 restarted$' /run/status || fail "nor of its workers"
    grep -qE '^certificate +authenticate.client: /run/s.pem, until 2' /run/status || fail "nor of its certificate"
    ask_status c --json
    ask_status c --json | grep -q '"done":\[{"group":"X25519MLKEM768","suite":"TLS_AES_[^"]*","count":2}\]' || fail "nothing for machines"
    ask_status c --prometheus | grep -q '^handclasp_handshakes_done_total{netns="",role="client",authentication="anonymous",group="X25519MLKEM768",suite="[^"]*"} 2$' ||
        fail "nothing for Prometheus"
    [ "$(stat -c '%a %U' /run/c.status)" = '660 root' ] || fail "the socket is open to others"
    setpriv --reuid=65534 --regid=65534 --clear-groups /run/handclasp status --socket /run/c.status 2>&1 |
        grep -q 'Permission denied' || fail "nobody was answered"
    agent_signal s TERM
    wait "$(agent_pid s)"
    [ ! -e /run/s.status ] || fail "the socket was left behind"
}
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

# Both ends write the same secrets, each into a file that only root reads.
key-log() {
    ours_alone
    agent_options=(--keylog /run/c.keys)
    agent c none
    agent_options=(--keylog /run/s.keys)
    agent s server
    nfs_compare tls /tls
    agent_says c 'whoever reads /run/c.keys can read every connection'
    wait_for 5 "eight secrets" test "$(wc -l </run/c.keys)" = 8
    [ "$(cut -d ' ' -f 1 /run/c.keys | sort | uniq -c | wc -l)" = 4 ] || fail "not two of each kind"
    diff <(sort /run/c.keys) <(sort /run/s.keys) || fail "the ends disagree"
    [ "$(stat -c %a /run/c.keys)" = 600 ] || fail "others can read it"
    agent_kill c
    /run/handclasp agent --status none --keylog /run/c.keys && fail "a file that was there was taken"
    rm /run/c.keys /run/s.keys
}
