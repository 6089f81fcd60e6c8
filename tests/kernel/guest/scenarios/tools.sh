# `handclasp connect` and `handclasp serve` with --ktls: the kernel's records against the engine's own.

tools-ktls() {
    local suite
    [ "$CLIENT$SERVER" = handclasphandclasp ] || skip 'tlshd has no tools'
    head -c 300000 /dev/urandom >/run/data
    tools_compare TLS_AES_128_GCM_SHA256 --ktls ''
    tools_compare TLS_AES_128_GCM_SHA256 '' --ktls
    for suite in TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
        tools_compare $suite --ktls --ktls
    done
    carried_by_ktls
}

# Sends data both ways at once; each end closes with close_notify, or the other one fails.
tools_compare() { # SUITE CLIENT-OPTION SERVER-OPTION
    local server
    on s /run/handclasp serve --cert "$certificates/server.pem" --key "$certificates/server.key" --accept 1 $3 \
        $server_address:4433 </run/data >/run/up 2>/run/server.log &
    server=$!
    wait_for 10 'the server' grep -q 'listening on' /run/server.log
    on c /run/handclasp connect --cafile "$certificates/ca.pem" --suites "$1" $2 server.test:4433 \
        </run/data >/run/down 2>/run/client.log || fail "the client: $(cat /run/client.log /run/server.log)"
    wait $server || fail "the server: $(cat /run/server.log)"
    cat /run/client.log
    grep -F 'no kTLS' /run/server.log /run/client.log && fail "the kernel did not encrypt"
    grep -q "suite=$1" /run/client.log || fail "another suite than $1"
    cmp /run/data /run/up || fail "$*: the server received other data than was sent"
    cmp /run/data /run/down || fail "$*: the client received other data than was sent"
}
