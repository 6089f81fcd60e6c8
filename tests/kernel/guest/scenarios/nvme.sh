# NVMe over TCP with TLS: both sides are PSK flows; each connect is two handshakes, one for each queue.

nvme-sha256() {
    psk 1 a
    agent c none
    agent s none
    nvme_compare
    carried_by_ktls
    post_quantum
}

nvme-sha384() {
    tlshd_cannot c 1.0 'uses a SHA-384 PSK as a SHA-256 one'
    tlshd_cannot s 1.0 'uses a SHA-384 PSK as a SHA-256 one'
    psk 2 a
    agent c none
    agent s none
    nvme_compare
    carried_by_ktls
}

# Refusals. The message is the errno of the write to /dev/nvme-fabrics, which is what nvme-cli sees.

nvme-unknown-psk() {
    local keyring key
    keyring=$(client_keyring)
    key=$(psk 1 a client)
    agent c none
    agent s none
    nvme_refused 'key was rejected' 4420 ",keyring=$keyring,tls_key=$key"
    agent_answers c -129
    agent_answers s '-[0-9]+'
    agent_says s 'FAILED.*(unknown|no .*(psk|key))'
    nobody_timed_out
}

nvme-wrong-psk() {
    local keyring key
    keyring=$(client_keyring)
    key=$(identity=0 psk 1 a client)
    identity=0 psk 1 b
    agent c none
    agent s none
    nvme_refused 'key was rejected' 4420 ",keyring=$keyring,tls_key=$key"
    agent_answers c -129
    agent_answers s -129
    agent_says s 'FAILED.*binder'
    nobody_timed_out
}

# The client's key is good; the server's of the same identity is not any more.
nvme-revoked-psk() {
    local keyring key
    keyring=$(client_keyring)
    key=$(psk 1 a client)
    agent c none
    agent s none
    key_change revoke "$(psk 1 a)"
    nvme_refused 'key was rejected' 4420 ",keyring=$keyring,tls_key=$key"
    agent_answers c -129
    agent_answers s '-[0-9]+'
    nobody_timed_out
}

nvme-expired-psk() {
    local keyring key expired
    keyring=$(client_keyring)
    key=$(psk 1 a client)
    expired=$(psk 1 a)
    agent c none
    agent s none
    key_change timeout "$expired" 1
    wait_for 10 "the key to expire" grep -q "^$(printf %08x "$expired") .* expd " /proc/keys
    nvme_refused 'key was rejected' 4420 ",keyring=$keyring,tls_key=$key"
    agent_answers c -129
    agent_answers s '-[0-9]+'
    nobody_timed_out
}

# Peers that are no peers. Each agent must answer before its consumer's own timer of ten seconds ends.

nvme-silent-target() {
    psk 1 a
    agent c none
    listen 4421 'sleep 60'
    nvme_refused 'timed out' 4421
    agent_answers c -110
    agent_says c 'FAILED with ETIMEDOUT'
    nobody_timed_out
}

nvme-garbage-target() {
    psk 1 a
    agent c none
    listen 4421 'print $peer "HTTP/1.0 400 Bad Request\r\n\r\n"; sleep 60'
    nvme_refused . 4421
    agent_answers c '-[0-9]+'
    agent_says c FAILED
    nobody_timed_out
}

nvme-silent-host() {
    psk 1 a
    agent s none
    send 4420 ''
    agent_answers s -110
    agent_says s 'FAILED with ETIMEDOUT'
    nobody_timed_out
}

nvme-garbage-host() {
    psk 1 a
    agent s none
    send 4420 'GET / HTTP/1.0\r\n\r\n'
    agent_answers s '-[0-9]+'
    agent_says s FAILED
    nobody_timed_out
}

# A hundred connections that say nothing, or too little, and come again when they are closed: they wait for their deadlines, and nobody
# waits for them.
nvme-flood() {
    local loglevel=0
    # In memory: a line through 9p takes longer than a handshake.
    agent_log() { echo "/run/flood.$1.log"; }
    psk 1 a
    agent c none
    agent s none
    flood 4420 100
    wait_for 60 'the flood' flooded 100
    nvme_compare
    agent_says s 'FAILED with ETIMEDOUT'
    nobody_timed_out
}
flooded() { [ "$(grep -c 'handshake_cmd_accept:' $tracing/trace)" -ge "$1" ]; } # COUNT

# A target that sends tickets, as OpenSSL does: the handshake is good, and the host gives up at the first. (Not in an agent's hands: a
# client that offers a PSK cannot say that it wants none.)
nvme-ticket-target() {
    local key
    key=$(psk 1 a)
    agent c none
    s_server 4421 -nocert -psk_identity "$(keyctl rdescribe "$key" | cut -d ';' -f 5)" \
        -psk "$(key_change pipe "$key" | hex)"
    nvme_refused . 4421
    agent_answers c 0
    agent_says c 'done in'
}

# The processes that parse what peers send have no rights; when they are killed in a handshake, its consumer is told at once, and
# others take their places.
nvme-workers-killed() {
    local worker field
    psk 1 a
    agent c none
    agent s none
    for worker in $(workers_of s); do
        for field in 'Uid:.65534.65534.65534.65534' 'CapEff:.0*' 'CapBnd:.0*' 'NoNewPrivs:.1' 'Seccomp:.2'; do
            wait_for 10 "worker $worker to have $field" grep -qxE "$field" "/proc/$worker/status"
        done
    done
    [ -n "$worker" ] || fail "the agent of s has no workers"
    send 4420 ''
    wait_for 20 "the handshake to begin" grep -q 'handshake_cmd_accept:' $tracing/trace
    kill -KILL $(workers_of s)
    agent_answers s -110
    agent_says s 'FAILED with ETIMEDOUT.*the process that did the handshake ended'
    nobody_timed_out
    nvme_compare
}
