-- SPDX-License-Identifier: Apache-2.0
-- For wrk: posts the bodies of a file, one a line, round and round; prints the figures as JSON.
--   wrk -s load.lua URL -- FILE

local bodies = {}
local next_body = 0
local threads = {}

function setup(thread)
   thread:set("number", #threads)
   table.insert(threads, thread)
end

function init(arguments)
   for line in io.lines(arguments[1]) do
      table.insert(bodies, wrk.format("POST", nil, {["Content-Type"] = "application/json"}, line))
   end
   next_body = number * 97 -- threads begin at different places
   refused = 0
end

function request()
   next_body = next_body + 1
   return bodies[next_body % #bodies + 1]
end

function response(status)
   if status ~= 202 then
      refused = refused + 1
   end
end

function done(summary, latency)
   local all_refused = 0
   for _, thread in ipairs(threads) do
      all_refused = all_refused + thread:get("refused")
   end
   local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
   io.write(string.format(
      '{"requests": %d, "seconds": %.3f, "refused": %d, "errors": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
      summary.requests, summary.duration / 1e6, all_refused, errors,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
