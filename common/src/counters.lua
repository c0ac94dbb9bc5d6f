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

local VERSION = 2 -- raise with every change; read by counters.c, too

local CHUNK = 1024
local RANGE_MAX = 4096       -- bounds unpack() and the time Redis is busy
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
  return string.format('%.0f', number)
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

-- The range that apply and settle are called with: partition, first offset, …, groups, …, names.
local function range_of(args, groups_at, names_at)
  local groups, name_count = args[groups_at], #args - names_at + 1
  if not groups or #groups > RANGE_MAX then
    refuse('wants up to ' .. RANGE_MAX .. ' offsets')
  end
  if name_count > GROUPS_MAX then
    refuse('wants up to ' .. GROUPS_MAX .. ' group names')
  end
  local first = argument(args[2], NUMBER_MAX - RANGE_MAX, 'first offset')
  return {
    partition = text_of(argument(args[1], PARTITIONS_MAX - 1, 'partition')),
    first = first,
    stop = first + #groups, -- not in the range
    first_chunk = math.floor(first / CHUNK),
    last_chunk = math.floor((first + math.max(#groups, 1) - 1) / CHUNK),
    groups = groups,
    name_count = name_count,
    name = function(group)
      return args[names_at + group] or refuse('a group has no name')
    end,
  }
end

-- One HMGET: the named fields as numbers, and the applied bits of the range's chunks. Returns both by
-- name and by chunk.
local function state_read(key, range, names)
  local fields, chunks = {unpack(names)}, {}
  for chunk = range.first_chunk, range.last_chunk do
    chunks[#chunks + 1] = chunk
    fields[#fields + 1] = 'b:' .. range.partition .. ':' .. text_of(chunk)
  end
  local values = redis.call('HMGET', key, unpack(fields))
  local state, bits = {}, {}
  for i, name in ipairs(names) do
    if name == 'topic' then
      state.topic = values[i] or nil
    else
      state[name] = stored(values[i], name)
    end
  end
  for i, chunk in ipairs(chunks) do
    local value = values[#names + i]
    if value and #value ~= CHUNK / 8 then
      refuse('the state is damaged: a bitmap has the wrong size')
    end
    bits[chunk] = value
  end
  return state, bits
end

-- Adds the new counts to `fields` and returns by how much the total changes.
local function add_counts(key, added, fields)
  local names, items, sum = {}, {}, 0
  for name, by in pairs(added) do
    if by ~= 0 then
      names[#names + 1] = name
      items[#items + 1] = 'c:' .. name
    end
  end
  if #items == 0 then
    return 0
  end
  for i, value in ipairs(redis.call('HMGET', key, unpack(items))) do
    local by = added[names[i]]
    put(fields, items[i], text_of(stored(value, 'a count') + by))
    sum = sum + by
  end
  return sum
end

-- Sets the bits of `range` in one chunk where they are not set, at or above the watermark. Counts
-- those in `added`. Returns the new bitmap, nil when nothing changed.
local function apply_chunk(range, chunk, bits, watermark, added)
  local band, byte, max, min, floor = bit.band, string.byte, math.max, math.min, math.floor
  local base = chunk * CHUNK
  local from, stop = max(range.first, watermark, base), min(range.stop, base + CHUNK)
  if from >= stop then
    return nil
  end
  bits = bits or nothing_applied()
  local first_byte, last_byte = floor((from - base) / 8), floor((stop - 1 - base) / 8)
  local groups, to_group, out, changed = range.groups, 1 - range.first, {}, false
  for at = first_byte, last_byte do
    local value, mask, start = byte(bits, at + 1), 128, base + at * 8
    local new = value
    for offset = start, start + 7 do
      if offset >= from and offset < stop and band(value, mask) == 0 then
        local group = byte(groups, offset + to_group)
        if group ~= HOLE then
          new = new + mask
          if group ~= NOT_COUNTED then
            added[group] = (added[group] or 0) + 1
          end
        end
      end
      mask = mask / 2
    end
    changed = changed or new ~= value
    out[#out + 1] = string.char(new)
  end
  return changed and string.sub(bits, 1, first_byte) .. table.concat(out) .. string.sub(bits, last_byte + 2) or nil
end

-- From counts by group index to counts by name; two groups of one name are one.
local function by_name(range, added)
  local named = {}
  for group, count in pairs(added) do
    local name = range.name(group)
    named[name] = (named[name] or 0) + count
  end
  return named
end

-- keys: state; args: partition, first offset, groups (a byte per offset), group names.
-- Any order, any number of times. Replies OK, watermark, change of the total.
local function apply(keys, args)
  check_keys(keys, 1)
  local range = range_of(args, 3, 4)
  local mark = 'w:' .. range.partition
  local state, bits = state_read(keys[1], range, {mark, 'total'})
  local added, fields = {}, {}
  for chunk = range.first_chunk, range.last_chunk do
    local new = apply_chunk(range, chunk, bits[chunk], state[mark], added)
    if new then
      put(fields, 'b:' .. range.partition .. ':' .. text_of(chunk), new)
    end
  end
  local counted = add_counts(keys[1], by_name(range, added), fields)
  if counted ~= 0 then
    put(fields, 'total', text_of(state.total + counted))
  end
  write('HSET', keys[1], fields)
  return {'OK', state[mark], counted}
end

-- Goes through the offsets not settled yet; the watermark passes each exactly once, so bits below it
-- are never asked for again, and need not be written.
local function settle_offsets(range, bits, watermark, duplicate_bytes)
  local band, byte, floor = bit.band, string.byte, math.floor
  local sums = {added = {}, duplicates = 0, not_counted = 0}
  local added = sums.added
  for offset = math.max(range.first, watermark), range.stop - 1 do
    local group = byte(range.groups, offset - range.first + 1)
    local duplicate = byte(duplicate_bytes, offset - range.first + 1)
    if duplicate > 1 or (group >= range.name_count and group ~= NOT_COUNTED) then
      refuse('settle wants a group that has a name, and 0 or 1, for every offset')
    end
    local applied = bits[floor(offset / CHUNK)]
    if applied then
      local at = offset % CHUNK
      applied = band(byte(applied, floor(at / 8) + 1), 2 ^ (7 - at % 8)) ~= 0
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
  end
  return sums
end

-- keys: state; args: partition, first offset, topic id, groups, duplicates (a byte 0 or 1 per
-- offset), group names. Goes forward from the watermark; no offsets at all is a heartbeat.
-- Replies OK or, with nothing written, GAP or OTHER_TOPIC; then watermark, change of the total.
local function settle(keys, args)
  check_keys(keys, 1)
  local range = range_of(args, 4, 6)
  local topic, duplicate_bytes = args[3], args[5]
  if topic == '' or not duplicate_bytes or #duplicate_bytes ~= #range.groups then
    refuse('settle wants a topic id and as many duplicate marks as groups')
  end
  local mark = 'w:' .. range.partition
  local state, bits =
    state_read(keys[1], range, {mark, 'total', 'partitions', 'duplicates', 'not_counted', 'topic'})
  local watermark = state[mark]
  if state.topic and state.topic ~= topic then
    return {'OTHER_TOPIC', watermark, 0}
  end
  if range.first > watermark then
    return {'GAP', watermark, 0}
  end
  local fields = {}
  local sums = settle_offsets(range, bits, watermark, duplicate_bytes)
  local counted = add_counts(keys[1], by_name(range, sums.added), fields)
  local now = {
    [mark] = math.max(watermark, range.stop),
    total = state.total + counted,
    duplicates = state.duplicates + sums.duplicates,
    not_counted = state.not_counted + sums.not_counted,
    partitions = math.max(state.partitions, tonumber(range.partition) + 1),
  }
  for name, value in pairs(now) do
    if value ~= state[name] then
      put(fields, name, text_of(value))
    end
  end
  if not state.topic then
    put(fields, 'topic', topic)
  end
  write('HSET', keys[1], fields)
  return {'OK', now[mark], counted}
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

redis.register_function('tweetmesh_apply', apply)
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
