-- Only Services of type ExternalName would use it.
return { TYPE_A = 1, TYPE_AAAA = 28, new = function() return nil, "this nginx resolves no names of its own" end }
