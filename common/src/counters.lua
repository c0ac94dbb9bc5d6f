#!lua name=tweetmesh
-- SPDX-License-Identifier: Apache-2.0
--
-- Exact counters, by the set of (partition, offset) already counted. The truth about a stream is one
-- hash, `{<stream>}:state`:
--
--   c:<group>          events counted for the group
--   total              events counted, the sum of all c:
--   w:<partition>      watermark: every offset below it is settled for good
--   b:<partition>:<n>  offsets applied at or above the watermark, of [n * 1024, (n + 1) * 1024);
--                      the highest bit of the first byte is the first offset
--   partitions         highest partition settled, plus one
--   duplicates         settled offsets whose event is counted at another offset, or refused by MongoDB
--   not_counted        settled offsets that hold no event (poison)
--   topic              Kafka's id of the topic
--   recounts           how often the counters were rebuilt; a copy from before must not come back
--
-- When nothing is applied above the watermarks: sum of w: = total + duplicates + not_counted, if
-- Kafka's offsets started at 0.
--
-- ONE WRITE: a function reads, computes, and ends in at most one write command, made by write().
-- Redis puts several writes of a function into MULTI/EXEC in the AOF, and a torn tail can break such
-- a block apart: half of it would be replayed, and counted again.

local VERSION = 3 -- raise with every change; read by counters.c, too

local CHUNK = 1024
local RANGE_MAX = 4096       -- of all ranges of a call; bounds unpack() and the time Redis is busy
local RANGES_MAX = 64        -- bounds unpack()
local SWEEP_CHUNKS_MAX = 1000
local PARTITIONS_MAX = 2000  -- bounds unpack() in watermarks
local GROUPS_MAX = 254
local NUMBER_MAX = 9007199254740991 -- 2^53 - 1: Lua's numbers are doubles
local NOT_COUNTED, HOLE = 254, 255

-- Lua's own libraries are there when a function runs, not yet while the library is loaded.

local function nothing_applied()
  return string.rep('\0', CHUNK / 8)
end

local function refuse(why)
  error({err = 'TWEETMESH ' .. why})
end

local function write(command, key, items)
  if #items > 0 then
    redis.call(command, key, unpack(items))
  end
end

local function text_of(number)
  return string.format('%d', number)
end

local function put(fields, name, value)
  fields[#fields + 1] = name
  fields[#fields + 1] = value
end

local function argument(text, highest, what)
  if type(text) ~= 'string' or #text > 16 or not string.find(text, '^%d+$') or tonumber(text) > highest then
    refuse(what .. ' is not a number up to ' .. text_of(highest))
  end
  return tonumber(text)
end

local function check_keys(keys, count)
  if #keys ~= count then
    refuse('wants ' .. count .. ' key(s)')
  end
end

-- A number as HMGET gives it: false where there is none.
local function stored(text, what)
  if not text then
    return 0
  end
  return tonumber(text) or refuse('the state is damaged: ' .. what .. ' is no number')
end

local function check_offsets(count)
  if count > RANGE_MAX then
    refuse('wants up to ' .. RANGE_MAX .. ' offsets')
  end
end

-- A range of offsets as args say it: partition and first offset at `at`, then groups, a byte per offset.
local function range_of(args, at, groups_at)
  local groups = args[groups_at]
  check_offsets(groups and #groups or math.huge)
  local first = argument(args[at + 1], NUMBER_MAX - RANGE_MAX, 'first offset')
  return {
    partition = argument(args[at], PARTITIONS_MAX - 1, 'partition'),
    first = first,
    stop = first + #groups, -- not in the range
    first_chunk = math.floor(first / CHUNK),
    last_chunk = math.floor((first + math.max(#groups, 1) - 1) / CHUNK),
    groups = groups,
  }
end

-- Adds the names of the bitmaps that the range needs.
local function add_bitmaps(range, fields)
  local prefix = 'b:' .. range.partition .. ':'
  for chunk = range.first_chunk, range.last_chunk do
    fields[#fields + 1] = prefix .. text_of(chunk)
  end
end

-- A bitmap as HMGET gives it.
local function bitmap(value)
  if value and #value ~= CHUNK / 8 then
    refuse('the state is damaged: a bitmap has the wrong size')
  end
  return value or nothing_applied()
end

-- Adds the new counts (by group) to `fields` and returns by how much the total changes. Two groups of
-- one name are one.
local function add_counts(key, args, names_at, added, fields)
  local changes, items, sum = {}, {}, 0
  if #args - names_at + 1 > GROUPS_MAX then
    refuse('wants up to ' .. GROUPS_MAX .. ' group names')
  end
  for group, by in pairs(added) do
    local item = 'c:' .. (args[names_at + group] or refuse('a group has no name'))
    changes[item] = (changes[item] or 0) + by
  end
  for item, by in pairs(changes) do
    if by ~= 0 then
      items[#items + 1] = item
    end
  end
  if #items == 0 then
    return 0
  end
  for i, value in ipairs(redis.call('HMGET', key, unpack(items))) do
    local by = changes[items[i]]
    put(fields, items[i], text_of(stored(value, 'a count') + by))
    sum = sum + by
  end
  return sum
end

-- The offsets of the range in one chunk that are at or above the watermark; not `stop`.
local function part_of(range, chunk, watermark)
  local base = chunk * CHUNK
  return math.max(range.first, watermark, base), math.min(range.stop, base + CHUNK)
end

-- Sets the bits of `range` in one chunk where they are not set, at or above the watermark. Counts
-- those in `added`. Returns the new bitmap, nil when nothing changed. Bytes are got and made all at
-- once: in the loop a call for each would take most of the time.
local function apply_chunk(range, chunk, old, watermark, added)
  local byte, sub, floor = string.byte, string.sub, math.floor
  local from, stop = part_of(range, chunk, watermark)
  if from >= stop then
    return nil
  end
  local base = chunk * CHUNK
  local first_byte, last_byte = floor((from - base) / 8), floor((stop - 1 - base) / 8)
  local bits = {byte(old, first_byte + 1, last_byte + 1)}
  local groups = {byte(range.groups, from - range.first + 1, stop - range.first)}
  local at, value, mask = 1, bits[1], 2 ^ (7 - from % 8)
  for i = 1, stop - from do
    if mask < 1 then
      bits[at] = value
      at, mask = at + 1, 128
      value = bits[at]
    end
    local group = groups[i]
    if group ~= HOLE and value % (mask + mask) < mask then
      value = value + mask
      if group ~= NOT_COUNTED then
        added[group] = (added[group] or 0) + 1
      end
    end
    mask = mask / 2
  end
  bits[at] = value
  local new = sub(old, 1, first_byte) .. string.char(unpack(bits)) .. sub(old, last_byte + 2)
  return new ~= old and new or nil
end

-- keys: state; args: number of ranges; partition, first offset, groups (a byte per offset) of each;
-- group names. Any order, any number of times; ranges may overlap. Replies OK, watermark of the first
-- range's partition, change of the total.
local function apply(keys, args)
  check_keys(keys, 1)
  local count, offsets, ranges, fields = argument(args[1], RANGES_MAX, 'number of ranges'), 0, {}, {'total'}
  for i = 1, count do
    local range = range_of(args, 3 * i - 1, 3 * i + 1)
    ranges[i], offsets = range, offsets + #range.groups
    fields[#fields + 1] = 'w:' .. range.partition
    add_bitmaps(range, fields)
  end
  check_offsets(offsets)
  local values = redis.call('HMGET', keys[1], unpack(fields))
  local at, added, new, changed = 1, {}, {}, {}
  for _, range in ipairs(ranges) do
    at = at + 1
    local watermark = stored(values[at], fields[at])
    for chunk = range.first_chunk, range.last_chunk do
      at = at + 1
      local name = fields[at]
      new[name] = apply_chunk(range, chunk, new[name] or bitmap(values[at]), watermark, added) or new[name]
    end
  end
  for name, bits in pairs(new) do
    put(changed, name, bits)
  end
  local total, counted = stored(values[1], 'total'), add_counts(keys[1], args, 3 * count + 2, added, changed)
  if counted ~= 0 then
    put(changed, 'total', text_of(total + counted))
  end
  write('HSET', keys[1], changed)
  return {'OK', stored(values[2], fields[2]), counted}
end

-- Goes through the offsets of one chunk that are not settled yet; the watermark passes each exactly
-- once, so bits below it are never asked for again, and need not be written.
local function settle_chunk(range, chunk, applied_bits, watermark, sums)
  local byte, floor = string.byte, math.floor
  local from, stop = part_of(range, chunk, watermark)
  local base, added, name_count = chunk * CHUNK, sums.added, range.name_count
  local groups = {byte(range.groups, from - range.first + 1, stop - range.first)}
  local duplicates = {byte(range.duplicates, from - range.first + 1, stop - range.first)}
  local bits = {byte(applied_bits, floor((from - base) / 8) + 1, floor((stop - 1 - base) / 8) + 1)}
  local at, mask = 1, 2 ^ (7 - from % 8)
  for i = 1, stop - from do
    if mask < 1 then
      at, mask = at + 1, 128
    end
    local group, duplicate, applied = groups[i], duplicates[i], bits[at] % (mask + mask) >= mask
    if duplicate > 1 or (group >= name_count and group ~= NOT_COUNTED) then
      refuse('settle wants a group that has a name, and 0 or 1, for every offset')
    end
    if group == NOT_COUNTED then
      sums.not_counted = sums.not_counted + 1
    elseif duplicate == 1 then
      sums.duplicates = sums.duplicates + 1
      if applied then
        added[group] = (added[group] or 0) - 1
      end
    elseif not applied then
      added[group] = (added[group] or 0) + 1
    end
    mask = mask / 2
  end
end

-- keys: state; args: partition, first offset, topic id, groups, duplicates (a byte 0 or 1 per
-- offset), group names. Goes forward from the watermark; no offsets at all is a heartbeat.
-- Replies OK or, with nothing written, GAP or OTHER_TOPIC; then watermark, change of the total.
local function settle(keys, args)
  check_keys(keys, 1)
  local range = range_of(args, 1, 4)
  range.duplicates, range.name_count = args[5], #args - 5
  local topic = args[3]
  if topic == '' or not range.duplicates or #range.duplicates ~= #range.groups then
    refuse('settle wants a topic id and as many duplicate marks as groups')
  end
  local fields, before = {'w:' .. range.partition, 'total', 'partitions', 'duplicates', 'not_counted', 'topic'}, {}
  add_bitmaps(range, fields)
  local values = redis.call('HMGET', keys[1], unpack(fields))
  for i = 1, 5 do
    before[i] = stored(values[i], fields[i])
  end
  local watermark, total, partitions, duplicates, not_counted = unpack(before)
  if values[6] and values[6] ~= topic then
    return {'OTHER_TOPIC', watermark, 0}
  end
  if range.first > watermark then
    return {'GAP', watermark, 0}
  end
  local changed, sums = {}, {added = {}, duplicates = 0, not_counted = 0}
  for chunk = range.first_chunk, range.last_chunk do
    settle_chunk(range, chunk, bitmap(values[7 + chunk - range.first_chunk]), watermark, sums)
  end
  local counted = add_counts(keys[1], args, 6, sums.added, changed)
  local now = {math.max(watermark, range.stop), total + counted, math.max(partitions, range.partition + 1)}
  now[4], now[5] = duplicates + sums.duplicates, not_counted + sums.not_counted
  for i = 1, 5 do
    if now[i] ~= before[i] then
      put(changed, fields[i], text_of(now[i]))
    end
  end
  if not values[6] then
    put(changed, 'topic', topic)
  end
  write('HSET', keys[1], changed)
  return {'OK', now[1], counted}
end

-- Writes to `key` what differs from what is shown there already. `values` may hold false: not in the
-- state; shown as 0 only where something was shown before.
local function show(key, names, values)
  local fields = {}
  for i, shown in ipairs(redis.call('HMGET', key, unpack(names))) do
    local value = values[i] or (shown and '0')
    if value and value ~= shown then
      put(fields, names[i], value)
    end
  end
  write('HSET', key, fields)
  return {'OK', 0, #fields / 2}
end

-- keys: state, derived hash; args: group names. Being derived from the state inside Redis, an older
-- copy can never overwrite a newer one. Replies OK, 0, number of groups that changed.
local function show_groups(keys, names)
  check_keys(keys, 2)
  if #names == 0 or #names > GROUPS_MAX then
    refuse('wants 1 to ' .. GROUPS_MAX .. ' group names')
  end
  local fields = {}
  for i, name in ipairs(names) do
    fields[i] = 'c:' .. name
  end
  return show(keys[2], names, redis.call('HMGET', keys[1], unpack(fields)))
end

-- Names and values (false: none) of all watermarks of a state that has settled so many partitions.
local function watermarks(key, partitions)
  local names = {}
  for partition = 0, math.min(partitions, PARTITIONS_MAX) - 1 do
    names[#names + 1] = 'w:' .. partition
  end
  return names, #names > 0 and redis.call('HMGET', key, unpack(names)) or {}
end

-- keys: state, derived hash. Shows total, duplicates, not_counted, settled and settled:<partition>.
local function show_totals(keys)
  check_keys(keys, 2)
  local names = {'total', 'duplicates', 'not_counted'}
  local values = redis.call('HMGET', keys[1], 'total', 'duplicates', 'not_counted', 'partitions')
  local marks, found = watermarks(keys[1], stored(values[4], 'partitions'))
  local settled = 0
  for i = 1, #names do
    values[i] = values[i] or '0'
  end
  for i, watermark in ipairs(found) do
    names[3 + i] = 'settled:' .. (i - 1)
    values[3 + i] = watermark
    settled = settled + stored(watermark, marks[i])
  end
  names[#names + 1] = 'settled'
  values[#names] = text_of(settled)
  return show(keys[2], names, values)
end

-- keys: state; args: partition, first offset. Drops bitmaps wholly below the watermark, at most
-- SWEEP_CHUNKS_MAX of them. Replies OK, the offset to go on from, number of bitmaps dropped.
local function sweep(keys, args)
  check_keys(keys, 1)
  local partition = text_of(argument(args[1], PARTITIONS_MAX - 1, 'partition'))
  local first = argument(args[2], NUMBER_MAX, 'first offset')
  local watermark = stored(redis.call('HGET', keys[1], 'w:' .. partition), 'a watermark')
  local from = math.floor(first / CHUNK)
  local stop = math.max(from, math.min(math.floor(watermark / CHUNK), from + SWEEP_CHUNKS_MAX))
  local fields = {}
  for chunk = from, stop - 1 do
    fields[#fields + 1] = 'b:' .. partition .. ':' .. text_of(chunk)
  end
  if #fields == 0 then
    return {'OK', first, 0}
  end
  local dropped = 0
  for _, bits in ipairs(redis.call('HMGET', keys[1], unpack(fields))) do
    dropped = dropped + (bits and 1 or 0)
  end
  write('HDEL', keys[1], fields)
  return {'OK', stop * CHUNK, dropped}
end

-- How far a whole state is.
local function summary(key)
  local values = redis.call('HMGET', key, 'topic', 'recounts', 'total', 'partitions')
  local state = {
    topic = values[1] or nil,
    recounts = stored(values[2], 'recounts'),
    total = stored(values[3], 'total'),
    marks = {},
    settled = 0,
  }
  local names, found = watermarks(key, stored(values[4], 'partitions'))
  for i, watermark in ipairs(found) do
    state.marks[i] = stored(watermark, names[i])
    state.settled = state.settled + state.marks[i]
  end
  return state
end

-- Whether a copy would bring back what the state of this partition has lost. Other partitions may be
-- set back by it, which their consumers notice; but not by more than is won.
local function is_behind(state, copy, partition)
  if state.recounts ~= copy.recounts then
    return state.recounts < copy.recounts
  end
  return (state.marks[partition + 1] or 0) < (copy.marks[partition + 1] or 0) and state.settled < copy.settled
end

-- keys: a copy of a state, state; args: topic id, number of the copy's fields, and the partition that
-- lost its watermark, or 'force': whatever the state is. Puts the copy in the state's place; what was
-- applied since the copy was taken is settled again. Replies OK or, with nothing written, AHEAD (the
-- state knows more) or OTHER_TOPIC; then the partition's watermark, change of the total.
local function restore(keys, args)
  check_keys(keys, 2)
  local fields = argument(args[2], NUMBER_MAX, 'number of fields')
  local forced = args[3] == 'force'
  local partition = forced and 0 or argument(args[3], PARTITIONS_MAX - 1, 'partition')
  if redis.call('HLEN', keys[1]) ~= fields then
    refuse('the copy is not whole')
  end
  local copy = summary(keys[1])
  if not copy.topic or copy.topic ~= args[1] then
    refuse('the copy is of another topic')
  end
  local total = 0
  if not forced then
    local state = summary(keys[2])
    local watermark = state.marks[partition + 1] or 0
    if state.topic and state.topic ~= copy.topic then
      return {'OTHER_TOPIC', watermark, 0}
    end
    if not is_behind(state, copy, partition) then
      return {'AHEAD', watermark, 0}
    end
    total = state.total
  end
  write('RENAME', keys[1], {keys[2]})
  return {'OK', copy.marks[partition + 1] or 0, copy.total - total}
end

-- Of one range; programs before version 3 call it.
redis.register_function('tweetmesh_apply', function(keys, args) return apply(keys, {'1', unpack(args)}) end)
redis.register_function('tweetmesh_apply_many', apply)
redis.register_function('tweetmesh_restore', restore)
redis.register_function('tweetmesh_settle', settle)
redis.register_function('tweetmesh_show_groups', show_groups)
redis.register_function('tweetmesh_show_totals', show_totals)
redis.register_function({function_name = 'tweetmesh_sweep', callback = sweep, flags = {'allow-oom'}})
redis.register_function({
  function_name = 'tweetmesh_version',
  callback = function() return VERSION end,
  flags = {'no-writes', 'allow-stale'},
})
