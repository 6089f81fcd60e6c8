# The kernel's handshake functions (include/net/handshake.h) with every argument, through a consumer of our own.
# In the rows, what a consumer is told is its status, and after a slash the peer's identity if it is not 0: -1 for a client
# that has shown a certificate, the serial of the PSK. In brackets of names: who asks.

both='c.wait s.wait'

consumer-peername() {
    agent c none
    agent s server
    row 'peername, a host name' 'c 0, s 0' pair c.anon=name=server.test s.x509 $both
    row 'peername, in capitals' 'c 0, s 0' pair c.anon=name=SERVER.Test s.x509 $both
    row 'peername, another host' 'c EACCES, s EACCES' pair c.anon=name=elsewhere.test s.x509 $both
    row 'peername, an IPv4 address' 'c 0, s 0' pair c.anon=name=$server_address s.x509 $both
    row 'peername, an IPv6 address' 'c 0, s 0' pair6 c.anon=name=$server_address6 s.x509 $both
    row 'peername, another address' 'c EACCES, s EACCES' pair c.anon=name=192.0.2.9 s.x509 $both
    row 'peername absent: the address counts' 'c 0, s 0' pair c.anon s.x509 $both
    row 'peername absent, IPv6' 'c 0, s 0' pair6 c.anon s.x509 $both
    row 'peername empty' 'c EINVAL' pair c.anon=name= c.wait
    row 'peername, no host name' 'c EINVAL' pair "c.anon=name=not a host" c.wait
    row 'peername of 256 characters' 'c EINVAL' pair c.anon=long-name=256 c.wait
    row 'peername of 60000 characters' 'c EIO' pair c.anon=long-name=60000 c.wait
    agent_kill s
    agent s server-without-address
    row 'peername absent, certificate without an address' 'c EACCES, s EACCES' pair c.anon s.x509 $both
    as_expected
}

# A peer that says nothing: the agent answers before the consumer's own timer would end.
consumer-timeout() {
    agent c none
    agent s server
    row 'timeout_ms 1, silent peer' 'c ETIMEDOUT' pair c.anon=timeout=1 c.wait
    row 'timeout_ms 50, silent peer' 'c ETIMEDOUT' pair c.anon=timeout=50 c.wait
    row 'timeout_ms 5000, silent peer' 'c ETIMEDOUT' pair c.anon=timeout=5000 c.wait=5000
    row 'timeout_ms 0 (server), silent peer' 's ETIMEDOUT' pair s.x509 s.wait=5000
    row 'timeout_ms 0 (client), silent peer' 'c ETIMEDOUT' pair c.anon c.wait=10000
    row 'timeout_ms 5000' 'c 0, s 0' pair c.anon=timeout=5000 s.x509=timeout=5000 $both
    as_expected
}

consumer-keyring() {
    local of_c of_s revoked key key_s like
    of_c=$(private_keyring of-c)
    of_s=$(private_keyring of-s)
    revoked=$(private_keyring revoked)
    key=$(raw_psk shared a "$of_c")
    key_s=$(raw_psk shared a "$of_s")
    # The kernel's own search takes these for "shared", too.
    for like in share 'shared 1' 'shared 2' 'shared 3'; do raw_psk "$like" b "$of_s"; done
    keyctl revoke "$revoked"
    agent c none
    agent s none
    without_keyring 'PSK in a private one'
    row 'keyring revoked (client)' 'c EIO' pair c.psk=keyring="$revoked",peerids="$key" c.wait
    row 'keyring revoked (server)' 's EIO' pair s.psk=keyring="$revoked" s.wait
    row 'keyring that does not exist' 'c EIO' pair c.psk=keyring=1,peerids="$key" c.wait
    row 'keyring private' "c 0/$key, s 0/$key_s" \
        pair c.psk=keyring="$of_c",peerids="$key" s.psk=keyring="$of_s" $both
    row 'identity that some begin with' 'c EKEYREJECTED, s EKEYREJECTED' \
        pair c.psk=keyring="$of_c",peerids="$(raw_psk shar b "$of_c")" s.psk=keyring="$of_s" $both
    all_good 20 "$($consumer/driver storm=20:20:psk=keyring="$of_c",peerids="$key":psk=keyring="$of_s")"
    without_keyring 'but one for the request before'
    told_no_psk
    as_expected
}
# Neither the bytes of raw_psk's nor their digits are in the debug log.
told_no_psk() {
    local host
    for host in c s; do
        grep -q "psk handshake with .*TLS_" "$(agent_log $host)" || fail "no PSK in the log of $host"
        ! grep -aE 'a{16}|(61[^0-9a-f]{0,2}){16}|(97[^0-9]{0,2}){16}' "$(agent_log $host)" || fail "the log of $host holds a PSK"
    done
}
without_keyring() { # WHAT
    row "keyring none (client), $1" 'c ENOKEY' pair c.psk=peerids="$key" c.wait
    row "keyring none (server), $1" 'c EKEYREJECTED, s EKEYREJECTED' \
        pair c.psk=keyring="$of_c",peerids="$key" s.psk $both
}

# What a key holds, put where the agents can read it.
key_of() { # FILE [KEYRING]: prints the serial
    keyctl padd user "$1" "${2:-@u}" <"$certificates/$1"
}

consumer-certificate() {
    local cert key cert_s key_s revoked expired unreadable of_c
    cert=$(key_of client.pem.der) key=$(key_of client.key.der)
    cert_s=$(key_of server.pem.der) key_s=$(key_of server.key.der)
    revoked=$(keyctl padd user revoked @u <$certificates/client.key.der)
    keyctl revoke "$revoked"
    expired=$(keyctl padd user expired @u <$certificates/client.key.der)
    keyctl timeout "$expired" 1
    unreadable=$(keyctl padd user unreadable @u <$certificates/client.key.der)
    keyctl setperm "$unreadable" 0x01010000
    agent c none
    agent s none
    local server="s.x509=cert=$cert_s,privkey=$key_s"
    row 'my_cert and my_privkey (client)' 'c 0, s 0/-1' \
        pair c.x509=name=server.test,cert="$cert",privkey="$key" "$server" $both
    row 'my_cert and my_privkey (server)' 'c 0, s 0' pair c.anon=name=server.test "$server" $both
    row 'my_cert and my_privkey (client), PEM by mistake' 'c 0, s 0/-1' \
        pair c.x509=name=server.test,cert="$(key_of client.pem)",privkey="$(key_of client.key)" "$server" $both
    row 'my_cert and my_privkey (server), PEM by mistake' 'c 0, s 0' \
        pair c.anon=name=server.test s.x509=cert="$(key_of server.pem)",privkey="$(key_of server.key)" $both
    row 'my_cert and my_privkey (client), RSA' 'c 0, s 0/-1' \
        pair c.x509=name=server.test,cert="$(key_of client-rsa.pem.der)",privkey="$(key_of client-rsa.key.der)" "$server" $both
    of_c=$(private_keyring of-c)
    row 'my_cert and my_privkey (client), private' 'c 0, s 0/-1' \
        pair c.x509=name=server.test,keyring="$of_c",cert="$cert",privkey="$(key_of client.key.der "$of_c")" "$server" $both
    refused_certificates client c.x509 "$cert" "$key"
    refused_certificates server s.x509 "$cert_s" "$key_s"
    as_expected
}

refused_certificates() { # ROLE END.x509 CERTIFICATE PRIVATE-KEY
    local role=$1 ask=$2 cert=$3 key=$4 end=${2%.*} other
    other=$(key_of client-ed25519.key.der)
    row "my_cert none, nothing configured ($role)" "$end ENOKEY" pair "$ask" $end.wait
    row "my_cert without my_privkey ($role)" "$end EINVAL" pair "$ask=cert=$cert" $end.wait
    row "my_privkey without my_cert ($role)" "$end EINVAL" pair "$ask=privkey=$key" $end.wait
    row "my_cert that does not exist ($role)" "$end ENOKEY" pair "$ask=cert=1,privkey=$key" $end.wait
    row "my_privkey that does not exist ($role)" "$end ENOKEY" pair "$ask=cert=$cert,privkey=1" $end.wait
    row "my_privkey of another certificate ($role)" "$end ENOKEY" pair "$ask=cert=$cert,privkey=$other" $end.wait
    row "my_cert and my_privkey swapped ($role)" "$end ENOKEY" pair "$ask=cert=$key,privkey=$cert" $end.wait
    row "my_privkey revoked ($role)" "$end ENOKEY" pair "$ask=cert=$cert,privkey=$revoked" $end.wait
    row "my_cert revoked ($role)" "$end ENOKEY" pair "$ask=cert=$revoked,privkey=$key" $end.wait
    row "my_privkey expired ($role)" "$end EKEYREJECTED" pair "$ask=cert=$cert,privkey=$expired" $end.wait
    row "my_privkey unreadable ($role)" "$end ENOKEY" pair "$ask=cert=$cert,privkey=$unreadable" $end.wait
}

# The server knows only the last of those that the client offers.
consumer-peerids() {
    local of_c of_s known offered=() offer i wrong long
    of_c=$(private_keyring of-c)
    of_s=$(private_keyring of-s)
    for i in 1 2 3 4; do offered+=("$(raw_psk "unknown $i" $i "$of_c")"); done
    known=$(raw_psk known a "$of_c")
    known_s=$(raw_psk known a "$of_s")
    wrong=$(raw_psk wrong b "$of_c")
    raw_psk wrong c "$of_s"
    long=$(printf '%048d' 0 | keyctl padd psk 'NVMe0R02 host subsystem' "$of_c")
    long_s=$(printf '%048d' 0 | keyctl padd psk 'NVMe0R02 host subsystem' "$of_s")
    agent c none
    agent s none
    local client="c.psk=keyring=$of_c" server="s.psk=keyring=$of_s"
    row 'num_peerids 0' 'c asks:EINVAL' pair "$client"
    for i in 0 1 2 3 4; do
        offer=$(printf '%s:' "${offered[@]:0:i}")
        row "num_peerids $((i + 1)), the last is known" "c 0/$known, s 0/$known_s" \
            pair "$client,peerids=${offer#:}$known" "$server" $both
    done
    row 'num_peerids 6' 'c asks:EINVAL' pair "$client,num-peerids=6"
    row 'num_peerids 4, none is known' 'c EKEYREJECTED, s EKEYREJECTED' \
        pair "$client,peerids=$(IFS=: && echo "${offered[*]}")" "$server" $both
    row 'num_peerids 2, the known one of SHA-384' "c 0/$long, s 0/$long_s" \
        pair "$client,peerids=${offered[0]}:$long" "$server" $both
    row 'num_peerids 1, same identity and another secret' 'c EKEYREJECTED, s EKEYREJECTED' \
        pair "$client,peerids=$wrong" "$server" $both
    row 'num_peerids 2, the first does not exist' 'c ENOKEY' pair "$client,peerids=1:$known" c.wait
    as_expected
}

# The statuses that no argument above leads to.
consumer-status() {
    row 'no agent' 'c asks:ESRCH, s asks:ESRCH' pair c.anon s.x509
    agent c none
    agent s server
    row 'a socket of UDP' 'c EOPNOTSUPP' udp c.anon c.wait
    row 'asked twice' 'c asks:EBUSY, c 0, s 0' pair c.anon c.anon s.x509 $both
    row 'kernel TLS is on already' 'c 0, s EIO' pair s.ulp c.anon s.x509 $both
    row 'the peer hangs up' 'c ETIMEDOUT' pair c.anon s.readable s.shutdown c.wait
    row 'the peer gives up' 'c ETIMEDOUT' pair c.anon s.readable s.raw=1503030002015a15030300020100 c.wait
    row 'the peer speaks no TLS' 'c EACCES' pair c.anon s.readable 's.send=HTTP/1.0 400 Bad Request' c.wait
    row 'the peer sends a fatal alert' 'c EACCES' pair c.anon s.readable "s.raw=15030300020228" c.wait
    row 'the agent is ended' 'c ETIMEDOUT' pair c.anon s.readable kill="$(agent_pid c):15" c.wait
    agent_says c 'FAILED with ETIMEDOUT.*is being stopped'
    agent_start c
    agent_signal c STOP
    row 'more are pending than may be' 'c EAGAIN' pair c.crowd
    agent_signal c CONT
    row 'after that' 'c 0, s 0' pair c.anon s.x509 $both
    as_expected
}

consumer-cancel() {
    agent c none
    agent s server
    agent_signal c STOP
    # What is cancelled before ACCEPT no agent hears of.
    row 'cancelled before ACCEPT' 'c cancelled' pair c.anon c.cancel c.shutdown
    agent_signal c CONT
    row 'cancelled in the handshake' 'c cancelled' pair c.anon s.readable c.cancel c.shutdown
    agent_says c 'FAILED with ETIMEDOUT.*closed'
    row 'cancelled, but the agents go on' 'c cancelled, s 0' pair c.anon=name=server.test s.readable c.cancel s.x509 s.wait
    # When the driver has its answer from the server it ends, and may take the client's connection away before kernel TLS is on.
    agent_says c ' done in |turning kernel TLS on: .*not connected'
    row 'cancelled after DONE' 'c 0, s 0, c too-late, s data:ping' \
        pair c.anon s.x509 $both c.cancel c.send=ping s.receive
    row 'cancelled after a refusal' 'c EINVAL, c too-late' pair c.anon=name= c.wait c.cancel
    as_expected
}

ticket=22:0400001500000e10000000000101000874776f2077617973000000 key_update=22:1800000100

consumer-data() {
    agent c none
    agent s server
    local session="c.anon=name=server.test s.x509 $both" then=s.receive updated='s data:ping'
    row 'data both ways' 'c 0, s 0, s same, c same' pair $session c.bulk=100000 s.bulk=100000
    row 'close_notify from the client' 'c 0, s 0, s alert:0100' pair $session c.close s.receive
    row 'close_notify from the server' 'c 0, s 0, c alert:0100' pair $session s.close c.receive
    row 'a ticket from the peer' "c 0, s 0, c handshake:${ticket#*:}, c data:ping" \
        pair $session s.record=$ticket s.send=ping c.receive c.receive
    row 'a fatal alert from the peer' 'c 0, s 0, c alert:0228' pair $session s.record=21:0228 c.receive
    # Newer kernels wait for a new key, which nobody can give them, and do not even call that readable.
    [[ $(uname -r) == 6.12.* ]] || then=s.receive=0 updated='s EKEYEXPIRED'
    row 'a KeyUpdate from the peer' "c 0, s 0, s handshake:1800000100, $updated" \
        pair $session c.record=$key_update c.send=ping s.receive $then
    as_expected
}

# OpenSSL's server sends tickets, two after a whole handshake and one after one with a PSK, whatever the client makes of them. They come
# behind the session, in records of their own that the consumer can tell from data.
consumer-openssl() {
    local of_c key
    of_c=$(private_keyring of-c)
    key=$(raw_psk shared a "$of_c")
    agent c none
    s_server 4430 -cert $certificates/server.pem -key $certificates/server.key
    row 'a peer that sends tickets' 'c 0, c handshake, c handshake, c data:ping' \
        dial=4430 c.anon=name=server.test c.wait c.kind c.kind c.receive
    s_server 4431 -nocert -psk_identity shared -psk "$(printf '%032d' 0 | tr 0 a | hex)"
    row 'a peer that sends a ticket (PSK)' "c 0/$key, c handshake, c data:ping" \
        dial=4431 c.psk=keyring="$of_c",peerids="$key" c.wait c.kind c.receive
    as_expected
}

# What the client's kernel sends the moment it has its session arrives in one piece with the client's Finished, before the
# server's agent has seen that. Not a byte of it is the agent's.
consumer-behind-finished() {
    local ends records of_client of_server
    agent c none
    agent s server
    local session='c.anon=name=server.test s.x509'
    ends=$($consumer/driver relay $session $both c.count s.count)
    [[ $ends =~ ^c\ 0,\ s\ 0,\ c\ ([0-9]+),\ s\ ([0-9]+)$ ]] || fail "through the relay: $ends"
    of_client=${BASH_REMATCH[1]} of_server=${BASH_REMATCH[2]} records=$((of_client + 1))
    pipelined() { # NAME STEP EXPECTED
        row "behind Finished: $1" "c 0, s 0, s $3" \
            relay c.hold=1 $session c.wait "$2" c.release=$records s.wait s.receive
    }
    pipelined 'data' c.send=ping data:ping
    pipelined 'a ticket' c.record=$ticket "handshake:${ticket#*:}"
    pipelined 'a KeyUpdate' c.record=$key_update handshake:1800000100
    pipelined 'an alert' c.record=21:0228 alert:0228
    pipelined 'close_notify' c.close alert:0100
    row "behind Finished: plaintext alert" 'c 0, s 0, s EBADMSG' \
        relay c.insert="$of_client:15030300020228" $session $both s.receive
    row "behind Finished: garbage (client)" 'c 0, s 0, s EMSGSIZE' \
        relay c.insert="$of_client:$(printf 'ff%.0s' {1..40})" $session $both s.receive
    row "behind Finished: garbage (server)" 'c 0, s 0, c EMSGSIZE' \
        relay s.insert="$of_server:$(printf 'ff%.0s' {1..40})" $session $both c.receive
    row "before Finished: garbage" 'c EACCES, s EACCES' \
        relay s.insert="1:$(printf 'ff%.0s' {1..40})" $session $both
    as_expected
}
