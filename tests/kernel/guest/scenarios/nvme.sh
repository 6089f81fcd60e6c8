# NVMe over TCP with TLS: both sides are PSK flows; each connect is two handshakes, one for each queue.

nvme-sha256() {
    psk c 1 a
    psk s 1 a
    agent c none
    agent s none
    nvme_compare
    carried_by_ktls
}

nvme-sha384() {
    psk c 2 a
    psk s 2 a
    agent c none
    agent s none
    nvme_compare
    carried_by_ktls
}

# Refusals.

nvme-unknown-psk() {
    psk c 1 a
    agent c none
    agent s none
    nvme_refused
    agent_answers c '-129|-13'
    nobody_timed_out
}

nvme-wrong-psk() {
    psk c 1 a
    psk s 1 b
    agent c none
    agent s none
    nvme_refused
    agent_answers c -13
    agent_answers s -13
    nobody_timed_out
}
