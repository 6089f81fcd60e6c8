# NVMe over TCP with TLS: both sides are PSK flows; each connect is two handshakes, one for each queue.

nvme-sha256() {
    psk 1 a
    agent c none
    agent s none
    nvme_compare
    carried_by_ktls
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

# Refusals.

nvme-unknown-psk() {
    client_keyring
    psk 1 a client
    agent c none
    agent s none
    nvme_refused --keyring client
    agent_answers c '-129|-13'
    agent_answers s '-[0-9]+'
    nobody_timed_out
}

nvme-wrong-psk() {
    client_keyring
    psk 1 a client
    psk 1 b
    agent c none
    agent s none
    nvme_refused --keyring client
    agent_answers c -13
    agent_answers s -13
    nobody_timed_out
}
