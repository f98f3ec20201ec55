<?php
function sendRecord(string $address, string $project, string $key, array $record): void
{
    try {
        $body = gzencode(json_encode($record, JSON_THROW_ON_ERROR));
        $line = "bv1 php $project " . time() . ' ';
        $datagram = $line . hash_hmac('sha256', $line . $body, $key) . "\n" . $body;
        $socket = @stream_socket_client("udp://$address"); // an IP address: a name would be looked up, and waited for
        stream_set_blocking($socket, false);
        @fwrite($socket, $datagram); // more than 65,507 bytes are not sent: post them over HTTPS
    } catch (Throwable) {
        // A page is worth more than its profile.
    }
}

sendRecord(getenv('BITVILLE_UDP'), 'shop', getenv('BITVILLE_KEY'), [
    'project' => 'shop', 'correlation_id' => bin2hex(random_bytes(16)), 'timestamp' => microtime(true), 'duration_ms' => 17.8,
    'request_uri' => '/cart', 'profiling_data' => ['main()==>Cart::total' => ['ct' => 1, 'wt' => 9120]],
]);
