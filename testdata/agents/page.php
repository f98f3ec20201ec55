<?php
/*
 * A page of a shop that profiles itself and posts the profile to the listener.
 *
 *   php page.php curl     tideways_xhprof, sent with the curl extension
 *   php page.php guzzle   Excimer, sent with Guzzle under gzip
 *   … --twice             sends the same record again and prints the second answer
 *
 * Settings come from the environment:
 *   BITVILLE_URL        https://listener.example:8443
 *   BITVILLE_KEY        the project's API key
 *   BITVILLE_CA_FILE    the certificate to trust, PEM
 *   BITVILLE_PROJECT    the key's project
 *   DATABASE_DSN        pgsql:host=…;dbname=…
 *   REQUEST_URI         as a web server sets it
 *   CORRELATION_ID      the request's id; one is made when there is none
 */
declare(strict_types=1);

/** Runs statements that carry the request's id, so that the database's log can be joined to the page. */
final class Database
{
    public int $queries = 0;

    public function __construct(private PDO $pdo, private string $correlationId)
    {
        // It becomes part of SQL text, and in a shop that calls a shop it came in a header.
        if (!preg_match('/^[0-9a-f-]{32,36}$/D', $correlationId)) {
            throw new InvalidArgumentException('the correlation id is not a UUID');
        }
    }

    public function rows(string $sql, mixed ...$values): array
    {
        $this->queries++;
        $statement = $this->pdo->prepare("/*correlation_id='$this->correlationId'*/ $sql");
        $statement->execute($values);
        return $statement->fetchAll(PDO::FETCH_ASSOC);
    }
}

function showCategory(Database $db, int $category): string
{
    $products = findProducts($db, $category);
    foreach ($products as $i => $product) {
        $products[$i]['stock'] = findStock($db, $product['id']);
    }
    return renderCategory($products, bestseller($db));
}

function findProducts(Database $db, int $category): array
{
    return $db->rows('SELECT id, name FROM products WHERE category = ? ORDER BY id', $category);
}

/** One statement for each product: what a profile beside its queries brings to light. */
function findStock(Database $db, int $product): int
{
    return $db->rows('SELECT stock(?)', $product)[0]['stock'];
}

function bestseller(Database $db): string
{
    return $db->rows('SELECT name, pg_sleep(0.03) FROM products ORDER BY sold DESC LIMIT 1')[0]['name'];
}

function renderCategory(array $products, string $bestseller): string
{
    $items = array_map(fn (array $p) => "<li>{$p['name']}: {$p['stock']} left</li>", $products);
    return '<p>Most wanted: ' . htmlspecialchars($bestseller) . '</p><ul>' . implode($items) . '</ul>';
}

/** @return array{int, string} status and body of the answer */
function postWithCurl(string $url, string $key, string $caFile, string $json): array
{
    $curl = curl_init($url);
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => $json,
        CURLOPT_HTTPHEADER => ["Authorization: Bearer $key", 'Content-Type: application/json'],
        CURLOPT_CAINFO => $caFile,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 10,
    ]);
    $body = curl_exec($curl);
    if ($body === false) {
        throw new RuntimeException(curl_error($curl));
    }
    return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $body];
}

/** @return array{int, string} status and body of the answer */
function postWithGuzzle(string $url, string $key, string $caFile, string $json): array
{
    require_once '/usr/share/php/GuzzleHttp/autoload.php'; // a Composer project has its own
    $answer = (new GuzzleHttp\Client())->post($url, [
        'body' => gzencode($json),
        'headers' => [
            'Authorization' => "Bearer $key",
            'Content-Type' => 'application/json',
            'Content-Encoding' => 'gzip',
        ],
        'verify' => $caFile,
        'timeout' => 10,
        'http_errors' => false,
    ]);
    return [$answer->getStatusCode(), (string) $answer->getBody()];
}

function setting(string $name): string
{
    return getenv($name) ?: throw new RuntimeException("$name is not set");
}

$client = $argv[1] ?? 'curl';
$correlationId = getenv('CORRELATION_ID') ?: bin2hex(random_bytes(16));
$uri = setting('REQUEST_URI');

$timestamp = microtime(true);
$start = hrtime(true);
if ($client === 'curl') {
    // On PHP 8 built-in functions are in the profile twice unless NO_BUILTINS is set.
    tideways_xhprof_enable(
        TIDEWAYS_XHPROF_FLAGS_NO_BUILTINS | TIDEWAYS_XHPROF_FLAGS_CPU | TIDEWAYS_XHPROF_FLAGS_MEMORY
    );
} else {
    $excimer = new ExcimerProfiler();
    $excimer->setEventType(EXCIMER_REAL); // wall time, so that waiting for the database counts
    $excimer->setPeriod(0.001);
    $excimer->start();
}

$pdo = new PDO(setting('DATABASE_DSN'), options: [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db = new Database($pdo, $correlationId);
$html = showCategory($db, (int) basename(parse_url($uri, PHP_URL_PATH)));

if ($client === 'curl') {
    $profile = tideways_xhprof_disable();
} else {
    $excimer->stop();
    $profile = ['format' => 'collapsed', 'period_ms' => 1, 'stacks' => $excimer->getLog()->formatCollapsed()];
}

$json = json_encode([
    'project' => setting('BITVILLE_PROJECT'),
    'correlation_id' => $correlationId,
    'timestamp' => $timestamp,
    'duration_ms' => (hrtime(true) - $start) / 1e6,
    'request_uri' => $uri,
    'queries' => $db->queries,
    'html_bytes' => strlen($html),
    'profiling_data' => $profile,
], JSON_THROW_ON_ERROR);

$post = $client === 'curl' ? 'postWithCurl' : 'postWithGuzzle';
foreach (in_array('--twice', $argv, true) ? [1, 2] : [1] as $_) {
    [$status, $body] = $post(
        setting('BITVILLE_URL') . '/ingest/php',
        setting('BITVILLE_KEY'),
        setting('BITVILLE_CA_FILE'),
        $json,
    );
    if ($status !== 200) {
        echo "$status $body\n";
        exit(1);
    }
}
echo "$body\n";
