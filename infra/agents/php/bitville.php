<?php
/*
 * Bitville's agent for PHP 8.1 to 8.4: one file, no dependencies. Include it first of all, or name it as
 * auto_prepend_file. README.md beside it has the settings, and what is sent.
 *
 * What the page can rely on:
 * - A request that is not sampled costs an id, a header, and (with Excimer) a timer. It opens no file and no socket.
 * - A record is made and sent when the visitor has the page already, where PHP can do that (FPM, LiteSpeed, FrankenPHP).
 * - All that may fail runs in Agent::quietly: no error of this file is printed, thrown, or left in error_get_last().
 */
declare(strict_types=1);

namespace Bitville;

// Everything is declared inside this block, since PHP declares what stands outside of one before it runs the first
// line: a second include would be a fatal error.
if (!\class_exists(Agent::class, false)) {

/** Each property is a variable: $sampleRate is BITVILLE_SAMPLE_RATE, of getenv() or else of $_SERVER. Here are the defaults. */
final class Settings
{
    public bool $enabled = true;
    public bool $debug = false;
    public string $url = 'udp://127.0.0.1:8444';
    public string $project = '';
    public string $apiKey = '';
    public string $apiKeyFile = '';
    public string $caPath = '';
    public float $sampleRate = 0.01;
    public float $slowMs = 500;
    public string $profiler = 'auto';
    public float $profilerPeriodMs = 10;
    public bool $pgbouncer = false;
    public string $queryValues = '';
    public bool $serverTiming = false;
    public float $timeoutMs = 200;
    public float $breakerS = 10;

    /** Says what is wrong with them. @return list<string> */
    public function read(): array
    {
        $problems = [];
        foreach (\get_object_vars($this) as $property => $default) {
            $name = 'BITVILLE_' . \strtoupper((string) \preg_replace('/[A-Z]/', '_$0', $property));
            $value = \function_exists('getenv') ? \trim((string) \getenv($name)) : ''; // some hosters disable it
            $value = $value !== '' ? $value : \trim((string) ($_SERVER[$name] ?? ''));
            if ($value === '') {
                continue; // an empty one counts as not set
            } elseif (\is_bool($default)) {
                $this->$property = !\in_array(\strtolower($value), ['0', 'false', 'off', 'no'], true);
            } elseif (\is_string($default)) {
                $this->$property = $value;
            } elseif (\is_numeric($value) && ($value > 0 || $value == 0 && $property !== 'profilerPeriodMs' || $property === 'slowMs')) {
                $this->$property = (float) $value;
            } else {
                $problems[] = "$name is $value, which is no such number; $default is used";
            }
        }
        if ($this->apiKey === '' && $this->apiKeyFile !== '') {
            $this->apiKey = \trim((string) \file_get_contents($this->apiKeyFile));
        }
        // Both become parts of a line that ends at a line feed.
        foreach (['BITVILLE_PROJECT' => $this->project, 'BITVILLE_API_KEY' => $this->apiKey] as $name => $value) {
            if ($value === '' || \preg_match('/[\x00-\x1f\x7f]/', $value)) {
                $problems[] = "$name is not set, or holds control characters; the agent is off";
                $this->enabled = false;
            }
        }
        if (!\in_array($this->profiler, ['auto', 'excimer', 'xhprof', 'none'], true)) {
            $problems[] = "BITVILLE_PROFILER is $this->profiler, which is none of auto, excimer, xhprof, none; none is used";
        }
        if (!\preg_match('~^(udp://[^/]+:\d+/?|file:///.*|https://[^/]+.*)$~D', $this->url)) {
            $problems[] = 'BITVILLE_URL is none of udp://host:port, file:///folder, https://host:port; nothing is sent';
        }
        return $problems;
    }
}

/** The id that joins all halves of a request. It may come from a proxy or a calling page. */
final class Id
{
    public readonly string $hex; // 32 digits, as W3C's trace id
    public readonly string $uuid;
    private readonly string $span;

    public function __construct()
    {
        $this->hex = self::given() ?? self::made();
        $this->uuid = \vsprintf('%s%s-%s-%s-%s-%s%s%s', \str_split($this->hex, 4));
        $this->span = \bin2hex(\random_bytes(7)) . '01'; // all zeros would be no span id
    }

    public function traceparent(bool $sampled): string
    {
        return "00-$this->hex-$this->span-" . ($sampled ? '01' : '00');
    }

    /** A visitor can choose the id of his own request, and nothing else: his sampled flag is not read. */
    private static function given(): ?string
    {
        $none = \str_repeat('0', 32);
        $parent = $_SERVER['HTTP_TRACEPARENT'] ?? '';
        if (\is_string($parent) && \preg_match('/^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/D', $parent, $m)
            && $m[2] !== $none && ($m[1] !== '00' || !isset($m[3]))) {
            return $m[2];
        }
        $id = $_SERVER['HTTP_X_CORRELATION_ID'] ?? '';
        if (!\is_string($id) || !\preg_match('/^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})$/Di', $id)) {
            return null;
        }
        $hex = \strtolower(\str_replace('-', '', $id));
        return $hex === $none ? null : $hex;
    }

    /** A UUID of version 7, which begins with the time: neighbours in time are neighbours in the store's index. */
    private static function made(): string
    {
        $hex = \sprintf('%012x', (int) (\microtime(true) * 1000)) . \bin2hex(\random_bytes(10));
        $hex[12] = '7';
        $hex[16] = '89ab'[\hexdec($hex[16]) & 3];
        return $hex;
    }
}

/** What was asked for, without what could be secret. */
final class Uri
{
    /** @param list<string> $keep names of query parameters whose values stay; '*' stands for all */
    public static function of(array $server, array $keep): string
    {
        if (!isset($server['REQUEST_METHOD'])) {
            return self::ofCommand($server['argv'] ?? [], $keep);
        }
        $uri = \preg_replace('~^[a-z][a-z0-9+.-]*://[^/?#]*|#.*$~si', '', (string) ($server['REQUEST_URI'] ?? '/'));
        [$path, $query] = \explode('?', $uri, 2) + [1 => null];
        $segments = \explode('/', $path);
        foreach ($segments as $i => $segment) {
            $after = $i > 0 && \preg_match('/(^|[-_.])(token|reset|key|verify)$/Di', $segments[$i - 1]);
            $segments[$i] = $segment !== '' && ($after || self::looksSecret($segment)) ? '*' : \preg_replace('/(;[^=]*=)[^;]*/', '$1', $segment);
        }
        $path = \implode('/', $segments);
        return ($path === '' ? '/' : $path) . ($query === null ? '' : '?' . self::query($query, $keep));
    }

    private static function query(string $query, array $keep): string
    {
        $pairs = \explode('&', $query);
        foreach ($pairs as $i => $pair) {
            [$name, $value] = \explode('=', $pair, 2) + [1 => null];
            if (!self::keeps(\urldecode($name), $keep)) {
                $pairs[$i] = (self::looksSecret($name) ? '*' : $name) . ($value === null ? '' : '=');
            }
        }
        return \implode('&', $pairs);
    }

    /** cli.php import:orders 17 --limit=20 is cli.php import:orders ? --limit= */
    private static function ofCommand(array $argv, array $keep): string
    {
        $words = [\basename((string) \array_shift($argv)) ?: 'php'];
        foreach ($argv as $i => $word) {
            [$name, $value] = \explode('=', (string) $word, 2) + [1 => null];
            $name = \preg_replace('/^(-[^-]).+/s', '$1', $name); // -phunter2 is -p
            $isOption = \preg_match('/^--?[a-z][\w-]*$/Di', $name);
            $isCommand = $i === 0 && \preg_match('/^[a-z][\w:.-]*$/Di', $name) && !self::looksSecret($name);
            $words[] = match (true) {
                self::keeps(\ltrim($name, '-'), $keep) => $word,
                $isOption || $isCommand => $name . ($value === null ? '' : '='),
                default => '?',
            };
        }
        return \implode(' ', $words);
    }

    private static function keeps(string $name, array $keep): bool
    {
        return \in_array('*', $keep, true) || \in_array($name, $keep, true);
    }

    /** 32 and more letters and digits in a row; or as many with - and _ between, when they look like base64. */
    private static function looksSecret(string $text): bool
    {
        $text = \rawurldecode($text);
        return \preg_match('/[a-z0-9]{32}/i', $text)
            || \preg_match('/[\w-]{32}/', $text) && \preg_match('/[a-z]/', $text) && \preg_match('/[A-Z]/', $text) && \preg_match('/\d/', $text);
    }
}

/** The profiler that is there. Its data is handed on as the extension gives it. */
final class Profiler
{
    private const MAX_SAMPLES = 20_000; // 200 s at 10 ms; a command may run for days

    public string $name = 'none';
    public bool $isFull = false;
    private ?\ExcimerProfiler $excimer = null;
    private ?\ExcimerLog $log = null;
    private array $edges = [];

    public function __construct(private Settings $settings) {}

    /** Excimer costs next to nothing and runs on each request that may turn out slow; XHProf only on a sampled one. */
    public function start(bool $isSampled): void
    {
        $wanted = $this->settings->profiler;
        // Before 1.2.4 a timer that fires while the process ends can crash it: a command would end with status 134.
        $isSafe = \PHP_SAPI !== 'cli' || \version_compare((string) \phpversion('excimer'), '1.2.4', '>=');
        if (\class_exists(\ExcimerProfiler::class, false) && ($wanted === 'excimer' || $wanted === 'auto' && $isSafe)) {
            if ($isSampled || $this->settings->slowMs >= 0) {
                $this->startExcimer();
            }
        } elseif ($wanted === 'xhprof' && $isSampled && \function_exists('tideways_xhprof_enable')) {
            // Wall time, and no built-in functions: tideways counts each twice on PHP 8.
            \tideways_xhprof_enable(\TIDEWAYS_XHPROF_FLAGS_NO_BUILTINS);
            $this->name = 'tideways_xhprof';
        } elseif ($wanted === 'xhprof' && $isSampled && \function_exists('xhprof_enable')) {
            \xhprof_enable(\XHPROF_FLAGS_NO_BUILTINS);
            $this->name = 'xhprof';
        }
    }

    private function startExcimer(): void
    {
        $this->excimer = new \ExcimerProfiler();
        $this->excimer->setEventType(\EXCIMER_REAL); // wall time, so that waiting for the database counts
        $this->excimer->setPeriod($this->settings->profilerPeriodMs / 1000);
        $this->excimer->setFlushCallback(function (\ExcimerLog $log): void { // when it is full, and by stop()
            $this->log ??= $log;
            if (\count($log) >= self::MAX_SAMPLES) {
                $this->isFull = true;
                $this->excimer->stop();
            }
        }, self::MAX_SAMPLES);
        $this->excimer->start();
        $this->name = 'excimer';
    }

    public function stop(): void
    {
        $this->excimer?->stop();
        $this->edges = match ($this->name) { // null when the page has ended it itself
            'tideways_xhprof' => \tideways_xhprof_disable(),
            'xhprof' => \xhprof_disable(),
            default => null,
        } ?? [];
    }

    /** What was measured; or about $share of it, what took longest, when it was too much. */
    public function data(float $share): array
    {
        $log = $this->excimer ? $this->log ?? $this->excimer->getLog() : null;
        if ($share >= 1 && $log && \method_exists($log, 'getSpeedscopeData')) { // since Excimer 1.1
            return $log->getSpeedscopeData();
        }
        if ($log) {
            $stacks = [];
            foreach (\explode("\n", \trim($log->formatCollapsed())) as $line) {
                $stacks[$line] = (int) \strrchr($line, ' ');
            }
            return ['collapsed' => \implode("\n", \array_keys(self::largest($stacks, $share))) . "\n", 'period_ms' => $this->settings->profilerPeriodMs];
        }
        $times = \array_map(static fn (mixed $edge): float => $edge['wt'] ?? 0, $this->edges);
        return \array_intersect_key($this->edges, self::largest($times, $share));
    }

    private static function largest(array $numbers, float $share): array
    {
        if ($share < 1) {
            \arsort($numbers);
        }
        return \array_slice($numbers, 0, (int) \ceil(\count($numbers) * $share), true);
    }
}

/** Makes JSON of a record, small enough for the way that it goes. */
final class Encoder
{
    private const MAX_JSON = (4 << 20) - 1024; // the listener takes 4 MiB a record
    private const FLAGS = \JSON_UNESCAPED_SLASHES | \JSON_UNESCAPED_UNICODE | \JSON_INVALID_UTF8_SUBSTITUTE | \JSON_PARTIAL_OUTPUT_ON_ERROR;

    /** JSON, or gzip of it where PHP has that. What is too much is cut: the profile, then what attribute() has added. */
    public static function encode(array $record, Profiler $profiler, int $limit, string $end = ''): string
    {
        $share = 1.0;
        do {
            $record['profiling_data'] = ($share > 0 ? $profiler->data($share) : []) ?: new \stdClass();
            $json = \json_encode($record, self::FLAGS) . $end;
            $body = \function_exists('gzencode') ? \gzencode($json, 1) : $json; // level 6 takes three times as long
            $over = \max(\strlen($json) / self::MAX_JSON, \strlen($body) / $limit);
            if ($over <= 1) {
                return $body;
            }
            $isLast = $share <= 0;
            $share = $share * 0.8 / $over > 0.001 ? $share * 0.8 / $over : 0;
            $record = ['truncated' => true] + ($share > 0 ? $record : \array_intersect_key($record, \array_flip(Agent::FIELDS)));
        } while (!$isLast);
        throw new \RuntimeException('a record is too long and was not sent');
    }

    public static function isGzip(string $body): bool
    {
        return $body[0] === "\x1f"; // and not {
    }
}

/** A way for records. One that fails throws. */
abstract class Sender
{
    public function __construct(protected Settings $settings, protected string $to) {}

    public static function for(Settings $settings): self
    {
        [$scheme, $to] = \explode('://', $settings->url, 2);
        return match ($scheme) {
            'udp' => new Udp($settings, \rtrim($to, '/')),
            'file' => new Spool($settings, \rtrim(\rawurldecode($to), '/')),
            'https' => new Https($settings, \rtrim($to, '/')),
        };
    }

    public function isReady(): bool
    {
        return true;
    }

    abstract public function send(array $record, Profiler $profiler): void;
}

/** One datagram, to the relay or to the listener itself. Nobody answers, so nobody is waited for. */
final class Udp extends Sender
{
    private const MAX = 65_507; // bytes that UDP can carry

    public function send(array $record, Profiler $profiler): void
    {
        $line = "bv1 php {$this->settings->project} " . \time() . ' ';
        $body = Encoder::encode($record, $profiler, self::MAX - \strlen($line) - 65);
        $datagram = $line . \hash_hmac('sha256', $line . $body, $this->settings->apiKey) . "\n" . $body;
        $socket = \stream_socket_client('udp://' . $this->to, $code, $message, 0.1);
        if ($socket === false) {
            throw new \RuntimeException("$this->to: $message");
        }
        \stream_set_blocking($socket, false);
        \fwrite($socket, $datagram);
    }
}

/** A file in a folder that a relay empties. It gets its name when it is whole, so that the relay reads no half ones. */
final class Spool extends Sender
{
    public function send(array $record, Profiler $profiler): void
    {
        $body = Encoder::encode($record, $profiler, \PHP_INT_MAX, "\n");
        $name = \sprintf('%.6F-%s.php.ndjson', \microtime(true), \bin2hex(\random_bytes(4))) . (Encoder::isGzip($body) ? '.gz' : '');
        $hidden = "$this->to/.$name";
        try {
            if (\file_put_contents($hidden, $body) !== \strlen($body) || !\chmod($hidden, 0660) || !\rename($hidden, "$this->to/$name")) {
                throw new \RuntimeException("$this->to: cannot write a record");
            }
        } finally {
            if (\is_file($hidden)) { // the disk may be full
                \unlink($hidden);
            }
        }
    }
}

/** HTTP/1.1 over a TLS connection that the worker keeps from request to request. The whole send has one time limit. */
final class Https extends Sender
{
    private const MAX = 4 << 20; // bytes, the listener's limit
    private Breaker $breaker;
    private string $address; // host:port
    private int $until;      // hrtime at which the send ends

    public function __construct(Settings $settings, string $to)
    {
        parent::__construct($settings, $to);
        $host = \explode('/', $to, 2)[0];
        $this->address = $host . (\preg_match('/:\d+$/D', $host) ? '' : ':443');
        $this->breaker = new Breaker($settings->url, $settings->breakerS);
    }

    public function isReady(): bool
    {
        return $this->breaker->isClosed();
    }

    public function send(array $record, Profiler $profiler): void
    {
        $body = Encoder::encode($record, $profiler, self::MAX);
        [$host, $path] = \explode('/', $this->to, 2) + [1 => ''];
        $request = "POST /$path" . ($path === '' ? '' : '/') . "ingest/php HTTP/1.1\r\nHost: $host\r\n"
            . "Authorization: Bearer {$this->settings->apiKey}\r\nContent-Type: application/json\r\n"
            . (Encoder::isGzip($body) ? "Content-Encoding: gzip\r\n" : '') . 'Content-Length: ' . \strlen($body) . "\r\n\r\n$body";
        $this->until = \hrtime(true) + (int) ($this->settings->timeoutMs * 1e6);
        try {
            [$status, $text] = $this->post($request);
        } catch (\Throwable $e) {
            $this->breaker->open();
            throw $e;
        }
        if ($status !== 200) {
            if ($status !== 400 && $status !== 413) { // those are about this record, all others about the listener
                $this->breaker->open();
            }
            throw new \RuntimeException("the listener answered $status " . \substr($text, 0, 500));
        }
    }

    /** @return array{int, string} status and body of the answer */
    private function post(string $request): array
    {
        for (;;) {
            [$stream, $isKept] = $this->connection();
            try {
                return $this->exchange($stream, $request);
            } catch (\RuntimeException $e) {
                \fclose($stream);
                // The listener may have closed it at this moment. What is sent twice is stored once: it goes again.
                if (!$isKept || $this->left() <= 0) {
                    throw $e;
                }
            }
        }
    }

    /** @return array{resource, bool} a connection, and whether an earlier request made it */
    private function connection(): array
    {
        $host = \trim((string) \preg_replace('/:\d+$/D', '', $this->address), '[]');
        $tls = ['peer_name' => $host];
        if ($this->settings->caPath !== '') { // beside the system's: PHP forgets those when it is given a file alone
            $tls += ['cafile' => $this->settings->caPath, 'capath' => \openssl_get_cert_locations()['default_cert_dir']];
        }
        // Without tcp_nodelay the first request of a connection waits 44 ms: Nagle against delayed acknowledgements.
        $context = \stream_context_create(['ssl' => $tls, 'socket' => ['tcp_nodelay' => true]]);
        $stream = \stream_socket_client("tcp://$this->address", $code, $message, \max(0.001, $this->left()),
            \STREAM_CLIENT_CONNECT | \STREAM_CLIENT_PERSISTENT, $context);
        if ($stream === false) {
            throw new \RuntimeException("$this->address: $message");
        }
        \stream_set_blocking($stream, false);
        if (isset(\stream_get_meta_data($stream)['crypto'])) {
            if (\fread($stream, 1) === '' && !\feof($stream)) {
                return [$stream, true];
            }
            \fclose($stream); // the listener closed it, or an answer was left unread
            return $this->connection();
        }
        try {
            while (($done = \stream_socket_enable_crypto($stream, true, \STREAM_CRYPTO_METHOD_TLS_CLIENT)) === 0) {
                $this->wait($stream);
            }
        } finally {
            if (($done ?? null) !== true) {
                \fclose($stream);
            }
        }
        return $done ? [$stream, false] : throw new \RuntimeException("$this->address: no TLS; is BITVILLE_CA_PATH right?");
    }

    /** @param resource $stream */
    private function exchange($stream, string $request): array
    {
        while ($request !== '') {
            $n = \fwrite($stream, $request);
            if ($n === false) {
                throw new \RuntimeException("$this->address closed the connection");
            }
            $request = \substr($request, $n);
            if ($n === 0) {
                $this->wait($stream, true);
            }
        }
        $answer = '';
        while (!\preg_match('~^HTTP/1\.[01] (\d+).*?\r\n\r\n~s', $answer, $head) || \strlen($answer) < \strlen($head[0]) + self::length($head[0])) {
            $chunk = (string) \fread($stream, 8192);
            if ($chunk !== '') {
                $answer .= $chunk;
            } elseif (\feof($stream)) {
                throw new \RuntimeException("$this->address closed the connection");
            } else {
                $this->wait($stream);
            }
        }
        if (\preg_match('/^connection:\s*close/mi', $head[0]) || !\preg_match('/^content-length:/mi', $head[0])) {
            \fclose($stream);
        }
        return [(int) $head[1], \substr($answer, \strlen($head[0]))];
    }

    private static function length(string $head): int
    {
        return \preg_match('/^content-length:\s*(\d+)/mi', $head, $m) ? (int) $m[1] : 0;
    }

    /** @param resource $stream */
    private function wait($stream, bool $toWrite = false): void
    {
        $left = $this->left();
        if ($left <= 0) {
            throw new \RuntimeException("$this->address: no answer within {$this->settings->timeoutMs} ms");
        }
        $read = $toWrite ? null : [$stream];
        $write = $toWrite ? [$stream] : null;
        $except = null;
        \stream_select($read, $write, $except, (int) $left, (int) (\fmod($left, 1) * 1e6));
    }

    /** Seconds. */
    private function left(): float
    {
        return ($this->until - \hrtime(true)) / 1e9;
    }
}

/** Open after a send that failed: then nothing is tried for a while, so that no worker waits in vain. All share it. */
final class Breaker
{
    private string $name;

    public function __construct(string $url, private float $seconds)
    {
        $this->name = 'bitville-' . \md5($url) . '-' . (\function_exists('posix_geteuid') ? \posix_geteuid() : '');
    }

    public function isClosed(): bool
    {
        if (self::hasApcu()) {
            return !\apcu_exists($this->name);
        }
        $file = $this->file();
        return !\is_file($file) || \filemtime($file) + $this->seconds <= \time();
    }

    public function open(): void
    {
        if ($this->seconds > 0) {
            self::hasApcu() ? \apcu_store($this->name, 1, (int) \ceil($this->seconds)) : \touch($this->file());
        }
    }

    private static function hasApcu(): bool
    {
        return \function_exists('apcu_enabled') && \apcu_enabled();
    }

    private function file(): string
    {
        return \sys_get_temp_dir() . "/$this->name";
    }
}

/** The request: chooses at its beginning whether it is sampled, and sends its record after its end. */
final class Agent
{
    /** What the agent itself says of a request. attribute() changes none of it. */
    public const FIELDS = ['project', 'correlation_id', 'timestamp', 'duration_ms', 'request_uri', 'method', 'status', 'route',
        'profiler', 'sampled', 'queries', 'db_ms', 'truncated', 'profiling_data'];
    private const MAX_ATTRIBUTES = 900; // the listener takes 1,000 fields

    private static ?self $current = null;

    public readonly Settings $settings;
    public readonly Id $id;
    public int $queries = 0;
    public float $dbMs = 0;
    public ?string $route = null;
    private ?string $sampled = null; // why
    private array $attributes = [];
    private Profiler $profiler;
    private float $startedAt;
    private int $process;
    private ?AtEnd $last = null;

    private function __construct()
    {
        $this->settings = new Settings();
        $this->id = new Id();
    }

    public static function current(): self
    {
        return self::$current ??= new self();
    }

    public static function start(): void
    {
        $agent = self::current();
        $isGuarded = \function_exists('set_error_handler') && \function_exists('restore_error_handler');
        if (!$isGuarded || !self::quietly($agent->begin(...), false)) {
            $agent->settings->enabled = false;
            $agent->sampled = $agent->last = null;
        }
    }

    private function begin(): bool
    {
        foreach ($this->settings->read() as $problem) {
            self::debug($problem);
        }
        if (!$this->settings->enabled) {
            return false;
        }
        \register_shutdown_function([$this, 'shutDown'], 3);
        $this->process = (int) \getmypid();
        $this->startedAt = (float) ($_SERVER['REQUEST_TIME_FLOAT'] ?? \microtime(true));
        $this->sampled = match (true) {
            $this->isAskedFor() => 'header',
            \random_int(0, 999_999) < $this->settings->sampleRate * 1e6 => 'rate',
            default => null,
        };
        $this->last = new AtEnd($this);
        if (!\headers_sent()) {
            \header("X-Correlation-Id: {$this->id->uuid}");
            if ($this->settings->serverTiming) {
                \header("Server-Timing: traceparent;desc=\"{$this->traceparent()}\"", false);
            }
        }
        $this->profiler = new Profiler($this->settings);
        $this->profiler->start($this->sampled());
        return true;
    }

    /** X-Bitville-Sample, signed with the project's key: nobody else can make a page explain its statements. */
    private function isAskedFor(): bool
    {
        return \preg_match('/^(\d{1,12})\.([0-9a-f]{64})$/Di', (string) ($_SERVER['HTTP_X_BITVILLE_SAMPLE'] ?? ''), $m)
            && \abs(\time() - (int) $m[1]) <= 300
            && \hash_equals(\hash_hmac('sha256', "sample $m[1]", $this->settings->apiKey), \strtolower($m[2]));
    }

    /** Chosen at the beginning. A request that only turns out slow is not. */
    public function sampled(): bool
    {
        return $this->sampled !== null;
    }

    public function traceparent(): string
    {
        return $this->id->traceparent($this->sampled());
    }

    public function comment(string $sql): string
    {
        $comment = "/*traceparent='{$this->traceparent()}'*/ ";
        return !$this->settings->enabled || $sql === '' || \str_starts_with($sql, $comment) ? $sql : $comment . $sql;
    }

    public function attribute(string $name, mixed $value): void
    {
        if (\count($this->attributes) >= self::MAX_ATTRIBUTES || \in_array($name, self::FIELDS, true)) {
            return;
        }
        // An object is taken as it is now, and not as it is when the record is sent.
        $this->attributes[$name] = \is_scalar($value) ? $value
            : self::quietly(static fn (): mixed => \json_decode(\json_encode($value, \JSON_INVALID_UTF8_SUBSTITUTE | \JSON_PARTIAL_OUTPUT_ON_ERROR)));
    }

    /** Puts itself behind shutdown functions that shutdown functions register, and then behind the global objects' destructors. */
    public function shutDown(int $times): void
    {
        self::quietly(function () use ($times): void {
            if ($times > 0) {
                \register_shutdown_function([$this, 'shutDown'], $times - 1);
            } elseif ($this->settings->enabled) {
                // Anew, because PHP calls no destructor of an object that was there at a fatal error.
                $this->last = new AtEnd($this);
            }
        });
    }

    public function isLast(AtEnd $end): bool
    {
        return $this->last === $end;
    }

    public function finish(): void
    {
        $this->last = null;
        if ($this->process !== \getmypid()) { // a fork ends too, and is no request
            return;
        }
        $ms = (\microtime(true) - $this->startedAt) * 1000;
        self::quietly($this->profiler->stop(...));
        if ($this->sampled === null && $this->settings->slowMs >= 0 && $ms >= $this->settings->slowMs) {
            $this->sampled = 'slow';
        }
        $sender = $this->sampled === null ? null : self::quietly(fn (): Sender => Sender::for($this->settings));
        if (!$sender || !self::quietly($sender->isReady(...), false)) {
            return;
        }
        // The page's own output handlers and session run here, so their errors stay its own. A session that was
        // still open would keep the visitor's next request waiting.
        if (\function_exists('session_status') && \session_status() === \PHP_SESSION_ACTIVE) {
            \session_write_close();
        }
        foreach (['fastcgi_finish_request', 'litespeed_finish_request'] as $finish) {
            if (\function_exists($finish)) {
                $finish();
                break;
            }
        }
        self::quietly(function () use ($sender, $ms): void {
            // A page that used up its memory must not fail once more in here.
            $limit = \function_exists('ini_set') ? \ini_set('memory_limit', '-1') : false;
            try {
                $sender->send($this->record($ms), $this->profiler);
            } finally {
                if ($limit !== false) {
                    \ini_set('memory_limit', $limit);
                }
            }
        });
    }

    private function record(float $ms): array
    {
        // NUL has no place in a request_uri, and a byte that is no UTF-8 becomes three.
        $uri = \str_replace("\0", '', Uri::of($_SERVER, \array_map('trim', \explode(',', $this->settings->queryValues))));
        $fits = \strlen(\json_decode((string) \json_encode($uri, \JSON_INVALID_UTF8_SUBSTITUTE))) <= 8192;
        $status = \http_response_code();
        return \array_filter([
            'project' => $this->settings->project,
            'correlation_id' => $this->id->uuid,
            'timestamp' => \round($this->startedAt, 6),
            'duration_ms' => \round(\max(0, $ms), 3),
            'request_uri' => $fits ? $uri : \substr($uri, 0, 2700),
            'method' => \is_string($_SERVER['REQUEST_METHOD'] ?? null) ? $_SERVER['REQUEST_METHOD'] : null,
            'status' => $status === false ? null : $status,
            'route' => $this->route,
            'profiler' => $this->profiler->name,
            'sampled' => $this->sampled,
            'queries' => $this->queries,
            'db_ms' => \round($this->dbMs, 3),
            'truncated' => !$fits || $this->profiler->isFull ? true : null,
        ], static fn (mixed $value): bool => $value !== null) + $this->attributes;
    }

    /** Runs what may fail. The page's error handler learns nothing of it, nor does error_get_last(). */
    public static function quietly(\Closure $work, mixed $otherwise = null): mixed
    {
        \set_error_handler(static function (int $level, string $message): bool {
            self::debug($message);
            return true;
        });
        try {
            return $work();
        } catch (\Throwable $e) {
            self::debug($e->getMessage());
            return $otherwise;
        } finally {
            \restore_error_handler();
        }
    }

    private static function debug(string $message): void
    {
        if (self::$current?->settings->debug && \function_exists('error_log')) {
            \error_log("bitville: $message");
        }
    }
}

/** PHP destroys it when the page's last shutdown function has run, or when one of those called exit(). */
final class AtEnd
{
    public function __construct(private Agent $agent) {}

    public function __destruct()
    {
        if ($this->agent->isLast($this)) {
            $this->agent->finish();
        }
    }
}

if (\extension_loaded('pdo')) {

/**
 * PDO whose statements carry the request's id. For a sampled request on PostgreSQL it also asks for their plans: by an
 * option of the connection, or where connections are shared (PgBouncer, ATTR_PERSISTENT) by SET LOCAL in a transaction.
 */
class PDO extends \PDO
{
    private const PLANS = 'auto_explain.log_min_duration';
    private bool $isPostgres = false;
    private bool $isShared = false;
    private bool $isRefused = false; // the server lets this role ask for no plans
    private ?array $error = null;    // errorInfo() of the page's last statement, where one of ours has followed it

    public function __construct(string $dsn, ?string $username = null, #[\SensitiveParameter] ?string $password = null, ?array $options = null)
    {
        $agent = Agent::current();
        $this->isPostgres = $agent->settings->enabled && \str_starts_with($dsn, 'pgsql:');
        // A persistent connection is found again by its DSN: an id in it would make a new one for each request.
        $this->isShared = $agent->settings->pgbouncer || !empty($options[\PDO::ATTR_PERSISTENT]);
        $dsns = [$dsn];
        if ($this->isPostgres && !$this->isShared) {
            \array_unshift($dsns, \rtrim($dsn, '; ') . ";application_name={$agent->id->uuid}");
            if ($agent->sampled()) {
                \array_unshift($dsns, $dsns[0] . ';' . self::options($dsn));
            }
        }
        while ($try = \array_shift($dsns)) {
            try {
                parent::__construct($try, $username, $password, $options);
                return;
            } catch (\PDOException $e) {
                // Only when it is ours that was refused: a server that is down is not asked twice.
                if (!$dsns || !\preg_match('/auto_explain|application_name|\boptions\b|startup param/', $e->getMessage())) {
                    throw $e;
                }
            }
        }
    }

    /** Those of the DSN or of PGOPTIONS stay: libpq takes the last it is given, and no others. */
    private static function options(string $dsn): string
    {
        $own = \preg_match("/\boptions\s*=\s*(?:'((?:[^'\\\\]|\\\\.)*)'|([^\s;]+))/", $dsn, $m) ? ($m[2] ?? $m[1])
            : \addcslashes(\function_exists('getenv') ? (string) \getenv('PGOPTIONS') : '', "'\\");
        return "options='$own -c " . self::PLANS . "=0'";
    }

    public function prepare(string $query, array $options = []): \PDOStatement|false
    {
        $this->error = null;
        // The page's own class of statements stays. What those execute is not counted.
        if ((parent::getAttribute(\PDO::ATTR_STATEMENT_CLASS)[0] ?? null) === \PDOStatement::class) {
            $options += [\PDO::ATTR_STATEMENT_CLASS => [Statement::class, [$this]]];
        }
        return parent::prepare(Agent::current()->comment($query), $options);
    }

    public function query(string $query, ?int $fetchMode = null, mixed ...$fetchModeArgs): \PDOStatement|false
    {
        $sql = Agent::current()->comment($query);
        return $this->run($query, fn (): \PDOStatement|false => parent::query($sql, $fetchMode, ...$fetchModeArgs));
    }

    public function exec(string $statement): int|false
    {
        $sql = Agent::current()->comment($statement);
        return $this->run($statement, fn (): int|false => parent::exec($sql));
    }

    public function beginTransaction(): bool
    {
        $began = parent::beginTransaction();
        if ($began && $this->wantsPlans()) {
            $this->error ??= parent::errorInfo(); // to begin does not change it
            return $this->ask() || parent::beginTransaction();
        }
        return $began;
    }

    public function errorCode(): ?string
    {
        return $this->error === null ? parent::errorCode() : ($this->error[0] ?: null);
    }

    public function errorInfo(): array
    {
        return $this->error ?? parent::errorInfo();
    }

    /** Runs a statement of the page, counts it, and has it explained where that is wanted and it can be. For Statement. */
    final public function run(string $sql, \Closure $statement): mixed
    {
        $this->error = null;
        $wants = $this->wantsPlans();
        $wasInside = $wants && parent::inTransaction();
        $wraps = $wants && !$wasInside && self::isExplained($sql) && $this->ask('BEGIN; ');
        $agent = Agent::current();
        $start = \hrtime(true);
        $result = false;
        try {
            $result = $statement();
        } finally {
            $agent->queries++;
            $agent->dbMs += (\hrtime(true) - $start) / 1e6;
            if ($wraps && $result === false) {
                $this->error = parent::errorInfo();
                $this->rollBackOurs();
            }
        }
        if ($wraps && $result !== false) {
            return parent::exec('COMMIT') === false ? false : $result; // here a deferred constraint may fail
        }
        // The page has begun a transaction with SQL: a refused SET LOCAL has ended it.
        if ($wants && !$wasInside && parent::inTransaction() && !$this->ask()) {
            $statement();
        }
        return $result;
    }

    private function wantsPlans(): bool
    {
        return $this->isPostgres && $this->isShared && !$this->isRefused && Agent::current()->sampled();
    }

    /** Only these have a plan, and only these may stand in a transaction as well as alone. */
    private static function isExplained(string $sql): bool
    {
        return \preg_match('~^(?:[\s(]|--[^\n]*\n|/\*.*?\*/)*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|TABLE|MERGE)\b~is', $sql)
            && !\str_contains(\rtrim($sql, "; \r\n\t"), ';');
    }

    /** Asks for the plans of the transaction that has just begun, or that begins with it. When it is refused there is none after it. */
    private function ask(string $begin = ''): bool
    {
        $sql = "{$begin}SET LOCAL " . self::PLANS . " = 0; SET LOCAL application_name = '" . Agent::current()->id->uuid . "'";
        if (Agent::quietly(fn (): int|false => parent::exec($sql), false) !== false) {
            return true;
        }
        $this->isRefused = true;
        $this->rollBackOurs();
        return false;
    }

    private function rollBackOurs(): void
    {
        Agent::quietly(fn (): int|false => parent::exec('ROLLBACK'));
    }
}

class Statement extends \PDOStatement
{
    private function __construct(private PDO $connection) {}

    public function execute(?array $params = null): bool
    {
        return $this->connection->run($this->queryString, fn (): bool => parent::execute($params));
    }
}

}

/** The request's id, a dashed UUID. */
function id(): string { return Agent::current()->id->uuid; }

/** W3C's header for the call of another service. */
function traceparent(): string { return Agent::current()->traceparent(); }

/** Whether this request was chosen when it began. */
function sampled(): bool { return Agent::current()->sampled(); }

/** The pattern behind the URL, as the framework knows it: /product/{id}. */
function route(string $route): void { Agent::current()->route = $route; }

/** A field of the request's record. */
function attribute(string $name, mixed $value): void { Agent::current()->attribute($name, $value); }

/** The statement with the request's id in front. */
function comment(string $sql): string { return Agent::current()->comment($sql); }

Agent::start();

}
