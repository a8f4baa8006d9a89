-- As much of lua-resty-cookie as sticky sessions use.
local Cookies = {}
Cookies.__index = Cookies

local ATTRIBUTES = {
  { "expires", "Expires" }, { "max_age", "Max-Age" }, { "domain", "Domain" }, { "path", "Path" },
  { "samesite", "SameSite" },
}

function Cookies.new(_)
  return setmetatable({}, Cookies)
end

function Cookies:get(key)
  local value = ngx.var["cookie_" .. key]
  if not value then return nil, "no cookie " .. key end
  return value
end

function Cookies:set(cookie)
  local parts = { cookie.key .. "=" .. cookie.value }
  for _, attribute in ipairs(ATTRIBUTES) do
    local value = cookie[attribute[1]]
    if value then table.insert(parts, attribute[2] .. "=" .. value) end
  end
  if cookie.secure then table.insert(parts, "Secure") end
  if cookie.httponly then table.insert(parts, "HttpOnly") end

  local headers = ngx.header["Set-Cookie"] or {}
  if type(headers) ~= "table" then headers = { headers } end
  table.insert(headers, table.concat(parts, "; "))
  ngx.header["Set-Cookie"] = headers
  return true
end

return Cookies
