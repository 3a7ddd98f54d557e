-- What Argo CD shows as the health of an ImageBackup; docs/install.md says where it goes.
local status = obj.status or {}
local health = { status = "Progressing", message = "the image is not copied yet" }

if status.phase == "DONE" then
  health = { status = "Healthy", message = status.backup or "the image is copied" }
elseif status.phase == "FAILED" then
  health = { status = "Degraded", message = "the image could not be copied" }
end

for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Copied" and condition.message ~= nil then
    health.message = condition.reason .. ": " .. condition.message
  end
end
return health
