-- Consistent hashing as lua-resty-balancer offers it: every node holds points of a ring in proportion to its
-- weight, and a key belongs to the next point.
local POINTS = 160

local Ring = {}
Ring.__index = Ring

function Ring.new(_, nodes)
  local ring = setmetatable({}, Ring)
  ring:reinit(nodes)
  return ring
end

function Ring:reinit(nodes)
  self.points = {}
  for node, weight in pairs(nodes or {}) do
    for i = 1, POINTS * (tonumber(weight) or 1) do
      table.insert(self.points, { at = ngx.crc32_long(node .. "\0" .. i), node = node })
    end
  end
  table.sort(self.points, function(a, b)
    if a.at == b.at then return a.node < b.node end
    return a.at < b.at
  end)
end

function Ring:find(key)
  local count = #self.points
  if count == 0 then return nil end
  local hash = ngx.crc32_long(tostring(key))
  local low, high = 1, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    if self.points[middle].at < hash then low = middle + 1 else high = middle end
  end
  if self.points[low].at < hash then low = 1 end
  return self.points[low].node, low
end

function Ring:next(index)
  local count = #self.points
  if count == 0 then return nil end
  index = index % count + 1
  return self.points[index].node, index
end

return Ring
