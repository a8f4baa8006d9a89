-- Only OCSP stapling would use it, which is off.
return { new = function() return nil, "this nginx makes no HTTP requests of its own" end }
