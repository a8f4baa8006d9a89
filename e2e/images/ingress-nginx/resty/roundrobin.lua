-- Smooth weighted round robin as lua-resty-balancer offers it.
local Robin = {}
Robin.__index = Robin

function Robin.new(_, nodes)
  local robin = setmetatable({}, Robin)
  robin:reinit(nodes)
  return robin
end

function Robin:reinit(nodes)
  self.nodes = nodes or {}
  self.turns = {}
  for id, weight in pairs(self.nodes) do
    table.insert(self.turns, { id = id, weight = tonumber(weight) or 1, credit = 0 })
  end
  table.sort(self.turns, function(a, b) return a.id < b.id end)
end

function Robin:find()
  local chosen, total = nil, 0
  for _, turn in ipairs(self.turns) do
    turn.credit = turn.credit + turn.weight
    total = total + turn.weight
    if not chosen or turn.credit > chosen.credit then chosen = turn end
  end
  if not chosen then return nil end
  chosen.credit = chosen.credit - total
  return chosen.id
end

return Robin
