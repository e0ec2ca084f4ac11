# The five steps of the Docker skill example against a running server; prints the run.
# Edit $ImageDigest: docker inspect --format='{{index .RepoDigests 0}}' hello-world
$ErrorActionPreference = 'Stop'

$BaseUrl = 'http://localhost:8090'
$AdminToken = 'demo'
$ImageDigest = 'hello-world@sha256:...'

if ($ImageDigest -notmatch '@sha256:[0-9a-f]{64}$') {
    Write-Error 'Set $ImageDigest at the top of this script to an image on the engine, pinned by digest.'
}

$Headers = @{ Authorization = "Bearer $AdminToken" }

function Invoke-Gate([string]$Method, [string]$Path, $Body = $null) {
    $Request = @{ Method = $Method; Uri = "$BaseUrl/v1$Path"; Headers = $Headers }
    if ($Method -ne 'Get') { $Request.ContentType = 'application/json' }
    if ($null -ne $Body) { $Request.Body = ConvertTo-Json -InputObject $Body -Depth 10 }
    Invoke-RestMethod @Request
}

# 1. Register skill
$Version = $ImageDigest.Substring($ImageDigest.Length - 12)
$Skill = Invoke-Gate Post '/skills' @{ name = 'docker-example'; version = $Version; image = $ImageDigest; manifest = @{} }
Write-Output "Skill:   $($Skill.name) $($Skill.version)"

# 2. Create session
$Session = Invoke-Gate Post '/sessions' @{ label = 'Docker example'; metadata = @{} }
Write-Output "Session: $($Session.id)"

# 3. Set policy
$Constraints = @{ images = @($ImageDigest); network_allowed = $false; mounts_allowed = $false }
$Policy = @{ overrides = @(@{ tool = 'docker.run'; allow = $true; constraints = $Constraints }) }
Invoke-Gate Put "/sessions/$($Session.id)/policy" $Policy | Out-Null

# 4. Post message with intent
$Intent = @{ tool = 'docker.run'; params = @{ image = $ImageDigest; cmd = @() } }
$Message = @{ role = 'user'; content = 'Run hello-world'; intents = @($Intent) }
$Accepted = Invoke-Gate Post "/sessions/$($Session.id)/messages" $Message

# 5. Get run
do {
    Start-Sleep -Milliseconds 200
    $Run = Invoke-Gate Get "/runs/$($Accepted.run_id)"
} while ($Run.status -in 'queued', 'running')

Write-Output "Run:     $($Run.id) $($Run.status)"
foreach ($Step in $Run.steps) { Write-Output "  $($Step.step_id) $($Step.type) $($Step.tool): $($Step.status)" }
$Executed = $Run.steps | Where-Object { $_.type -eq 'tool_exec' }
if ($Executed) { Write-Output $Executed.details.result.result }

$Audit = Invoke-Gate Get "/audit/validate?session_id=$($Session.id)"
Write-Output "Audit:   valid=$($Audit.valid) events=$($Audit.event_count)"
$Replay = Invoke-Gate Post "/runs/$($Run.id)/replay"
Write-Output "Replay:  mode=$($Replay.mode) valid=$($Replay.valid)"
if ($Run.status -ne 'completed') { exit 1 }
