-- Answers /_haproxy_getconfig with the configuration as it was when this HAProxy read it, as marathon-lb does.
-- By Lua because an `http-request return` must fit into one buffer, and a hundred apps do not.
local file = io.open(os.getenv("HAPROXY_CONFIG_SHOWN") or "", "r")
local text = file and file:read("*a") or ""
if file then file:close() end

core.register_service("getconfig", "http", function(applet)
  applet:set_status(200)
  applet:add_header("content-type", "text/plain")
  applet:add_header("content-length", tostring(#text))
  applet:start_response()
  applet:send(text)
end)
