-- One step of the budget of a connection: what State::step in state.rs does, over the state in one key.
-- KEYS[1] the state; ARGV[1] the step; ARGV[2] the state to begin with when there is none; ARGV[3] life of the key in ms.
-- The time is that of the step, so that all clocks of the bridge are one.
local s = cjson.decode(redis.call('GET', KEYS[1]) or ARGV[2])
local step = cjson.decode(ARGV[1])
local now = step.now

local function sum_held()
  local sum = 0
  for _, holder in pairs(s.holders) do sum = sum + holder.held end
  return sum
end

local function be_quiet(quiet)
  if quiet['until'] > s.quiet['until'] then s.quiet = quiet end
end

local function narrow()
  s.good = 0
  if now >= s.cut_at + 1000 then
    s.width = math.max(math.floor(s.width / 2), 1)
    s.cut_at = now
  end
end

local function learn_window(report, under_way)
  if report.rule == '' or report.limit <= 0 or report.reset <= now then return end
  local is_news = s.rules[report.resource] ~= report.rule
  s.rules[report.resource] = report.rule
  local window = s.windows[report.rule]
  if not window or report.reset > window.reset + 60000 then
    window = { limit = report.limit, left = math.max(report.limit - under_way, 0), reset = report.reset }
    s.windows[report.rule] = window
  elseif is_news then
    window.left = window.left - under_way
  end
  window.left = math.max(window.left + report.limit - window.limit, 0)
  window.limit = report.limit
  if report.remaining >= 0 then window.left = math.min(window.left, report.remaining) end
  if report.verdict == 'rate_limited' then window.left = 0 end
end

local function learn_verdict(report)
  if report.verdict == 'ok' then
    s.good = s.good + 1
    if s.good >= s.width then
      s.good = 0
      s.width = math.min(s.width + 1, step.most)
    end
  elseif report.verdict == 'slow' then
    narrow()
  elseif report.verdict == 'busy' then
    narrow()
    be_quiet({ ['until'] = now + report.quiet_ms, limited = false })
  elseif report.verdict == 'rate_limited' then
    be_quiet({ ['until'] = now + report.quiet_ms, limited = true })
  end
end

local function free_for(want)
  local urgent = 0
  for name, holder in pairs(s.holders) do
    if name ~= step.owner then
      for class = 1, want.class do urgent = urgent + holder.waiting[class] end
    end
  end
  return math.max(s.width - sum_held() - urgent, 0)
end

local function answer(want)
  if now < s.quiet['until'] then
    local why = s.quiet.limited and 'rate_limited' or 'busy'
    return { granted = 0, why = why, ['until'] = s.quiet['until'] }
  end
  local granted = math.min(want.count, free_for(want))
  local window = s.windows[s.rules[want.resource] or '']
  if window then
    local kept = want.reserve and 0 or math.floor(window.limit * step.reserve_percent / 100)
    local open = math.max(window.left - kept, 0)
    if open == 0 then
      return { granted = 0, why = window.left > 0 and 'reserve' or 'spent', ['until'] = window.reset }
    end
    granted = math.min(granted, open)
    window.left = window.left - granted
  end
  local holder = s.holders[step.owner]
  holder.held = holder.held + granted
  holder.waiting[want.class + 1] = holder.waiting[want.class + 1] + want.count - granted
  return { granted = granted, why = 'full', ['until'] = 0 }
end

for name, holder in pairs(s.holders) do
  if now >= holder['until'] then s.holders[name] = nil end
end
for rule, window in pairs(s.windows) do
  if now >= window.reset then s.windows[rule] = nil end
end
for resource, rule in pairs(s.rules) do
  if not s.windows[rule] then s.rules[resource] = nil end
end
if s.width == 0 then s.width = step.most else s.width = math.min(s.width, step.most) end
local under_way = sum_held()
for _, report in ipairs(step.reports) do
  learn_window(report, under_way)
  learn_verdict(report)
end
be_quiet(step.quiet)
s.holders[step.owner] = { held = step.held, waiting = { 0, 0, 0, 0 }, ['until'] = step['until'] }
local answers = {}
for index, want in ipairs(step.wants) do answers[index] = cjson.encode(answer(want)) end
local state = cjson.encode(s)
redis.call('SET', KEYS[1], state, 'PX', ARGV[3])
return { state, answers }
