"""Words beside a word for a secret that are none: names of what is about one, placeholders, words of sentences."""

from tracelens.secrets.forms import LazyPattern

# The last part of a name that is about a secret, and not the secret: password_file, PasswordAuthentication, tokenType.
ABOUT = LazyPattern(
    rb"(?i)(?:file|files|path|dir|folder|name|names|type|types|method|methods|auth|authentication|prompt|prompts|"
    rb"length|len|size|"
    rb"count|expiry|expires?|expired|expiration|age|policy|min|max|enabled?|disabled?|required?|retry|retries|"
    rb"attempts?|timeout|"
    rb"url|uri|endpoint|id|ids|hint|mode|algorithm|encoding|format|change|changed|reset|field|label|status|state|ok|"
    rb"fail|failed|"
    rb"failure|failures|error|errors|source|provider|manager|store|command|callback|func|function|handler|class|"
    rb"version|"
    rb"less|ed|protected|based|free|only|exchange|agent|line|lines|index|date|time|warn|warning|days|login|logins|"
    rb"success|successful|accepted|rejected|denied|invalid|mismatch|many|needed|unverified|probe|log|gz|txt|py|js|json|"
    rb"xml|ya?ml|conf|cfg|ini|java|html?|request|requests|response|responses|supported|allowed|is|are|for)\Z"
)
# What stands where a secret would, in any form; and what does in a sentence.
PLACEHOLDER = LazyPattern(
    rb"(?i)(?:true|false|yes|no|none|null|nil|undefined|basic|bearer|digest|negotiate|ntlm|[*.\-_=x#?\xe2\x80\xa2\xa2]{1,64}|"
    rb"\(?(?:hidden|null|none|empty|redacted|not shown|set)\)?|\[hidden\]|<[a-z _-]{1,30}>|\$\{[^}]*\}?|"
    rb"\$[A-Z_][A-Z0-9_]*|%[A-Z_][A-Z0-9_]*%|\{\{.*\}\}|\$\([^)]*\)|"
    rb"hidden-[a-z]{6}|0x[0-9a-f]{8,16})\Z"
)
NO_SECRET = LazyPattern(
    rb"(?i)(?:on|off|enabled|disabled|required|optional|unset|not|given|ok|prompt|unknown|missing|invalid|incorrect|"
    rb"wrong|"
    rb"expired|failed|failure|rejected|denied|accepted|refused|changed|needed|authentication|auth|method|publickey|"
    rb"password|"
    rb"passphrase|username|keyboard-interactive|interactive|removed|masked|secret|in|is|was|has|for|from|to|of|the|"
    rb"an?|and|or|"
    rb"with|by|at|as|your|str|string|int|bool|bytes|n/a|default|too|being|already|about|correct|valid|blank|sent|"
    rb"used|found|file|"
    rb"that|this|there|shown|kept|here|only|also|still|never|always|went|"
    rb"[a-z]+(?:ed|ing|tion))\Z"
)
