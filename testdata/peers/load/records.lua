-- What wrk sends: records under random correlation ids, with one of 256 profiles each, of this second. BATCH says how many
-- a request brings, PROFILE names a file with one profile to send instead, PAUSE the milliseconds that a connection
-- waits between two requests, on average. With PAGE, v4 or v7, all records of a request have one correlation id, a UUID
-- of that version: a page and its statements.
local ffi = require("ffi")
ffi.cdef("int clock_gettime(int clock, long time[2]);")
math.randomseed(os.time() * 1000 + tonumber(tostring({}):sub(8), 16) % 1000)
local r = math.random
local batch = tonumber(os.getenv("BATCH") or "1")
local page = os.getenv("PAGE")
local headers = { ["Authorization"] = "Bearer " .. os.getenv("KEY"), ["Content-Type"] = "application/json" }

local profiles = {}
if os.getenv("PROFILE") then
  local file = assert(io.open(os.getenv("PROFILE")))
  profiles[1] = file:read("*a")
  file:close()
else
  for p = 1, 256 do -- 1.9 KB each
    local edges = {}
    for e = 1, 38 do
      edges[e] = string.format('"Shop\\\\M%d\\\\C%d::f%d==>g%d":{"ct":%d,"wt":%d}', p % 16, e, (p * e) % 97, e, e % 7 + 1, r(1, 99999))
    end
    profiles[p] = "{" .. table.concat(edges, ",") .. "}"
  end
end

local function v4()
  return string.format("%04x%04x-%04x-4%03x-8%03x-%04x%04x%04x",
    r(0, 65535), r(0, 65535), r(0, 65535), r(0, 4095), r(0, 4095), r(0, 65535), r(0, 65535), r(0, 65535))
end

local now = ffi.new("long[2]")
local function v7() -- begins with the time in milliseconds
  ffi.C.clock_gettime(0, now)
  local ms = string.format("%012x", tonumber(now[0]) * 1000 + math.floor(tonumber(now[1]) / 1e6))
  return ms:sub(1, 8) .. "-" .. ms:sub(9) .. string.format("-7%03x-8%03x-%04x%04x%04x",
    r(0, 4095), r(0, 4095), r(0, 65535), r(0, 65535), r(0, 65535))
end

local function record(id)
  return string.format('{"project":"shop","correlation_id":"%s","timestamp":%d,"duration_ms":%d.5,'
      .. '"request_uri":"/product/%d","method":"GET","status":200,"profiling_data":%s}',
    id, os.time(), r(1, 1500), r(1, 1000), profiles[r(1, #profiles)])
end

function request()
  if batch == 1 then return wrk.format("POST", "/ingest/php", headers, record(v4())) end
  local shared = page and (page == "v7" and v7 or v4)()
  local records = {}
  for i = 1, batch do records[i] = record(shared or v4()) end
  return wrk.format("POST", "/ingest/php", headers, "[" .. table.concat(records, ",") .. "]")
end

if os.getenv("PAUSE") then
  local mean = tonumber(os.getenv("PAUSE"))
  function delay() return math.floor(-mean * math.log(1 - r()) + 0.5) end
end

function done(summary, latency)
  local e = summary.errors
  print(string.format('RESULT {"requests":%d,"bytes":%d,"seconds":%f,"failed":%d,"p50":%f,"p99":%f}', summary.requests, summary.bytes,
    summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
