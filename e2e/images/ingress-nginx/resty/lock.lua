-- There is one worker process, and no caller gives up control while it holds the lock: nobody can be in the way.
local Lock = {}
Lock.__index = Lock

function Lock.new(_)
  return setmetatable({}, Lock)
end

function Lock:lock(_)
  return 0
end

function Lock:unlock()
  return 1
end

return Lock
