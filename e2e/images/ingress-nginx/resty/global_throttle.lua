-- Only the annotation for rates limited across controllers would use it.
return { new = function() return nil, "this nginx has no limits across controllers" end }
