"""Walls as their makers build them, and innocent pages that look like them. All text is our own.

Each is (URL, the URL first asked for or None, headers, body).
"""

Answer = tuple[str, str | None, dict[str, str], str]

SITE = "https://shop.example/tea/42"


def _page(title: str, body: str, head: str = "") -> str:
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title>{head}</head><body>{body}</body></html>"
    )


def _at(body: str, *, url: str = SITE, origin: str | None = None, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return url, origin, {"Content-Type": "text/html; charset=utf-8", **named}, body


_NOINDEX = '<meta name="robots" content="noindex,nofollow">'
_CHALLENGE = (
    "<script>(function(){window._cf_chl_opt = {cvId: '3',cZone: 'shop.example',cType: 'managed'};"
    "var a = document.createElement('script');a.src = '/cdn-cgi/challenge-platform/h/b/orchestrate/"
    "chl_page/v1?ray=8f0a';document.getElementsByTagName('head')[0].appendChild(a);}());</script>"
)
_LOGIN = (
    '<form method="post" action="/session"><input type="text" name="user">'
    '<input type="password" name="secret"><button>Log in</button></form>'
)

WALLS: dict[str, tuple[str, Answer]] = {
    "cloudflare managed": (
        "Cloudflare",
        _at(
            _page(
                "Just a moment...",
                "<noscript>Enable JavaScript and cookies to continue</noscript>" + _CHALLENGE,
                _NOINDEX,
            )
        ),
    ),
    "cloudflare in another language": (
        "Cloudflare",
        _at(_page("Nur einen Moment …", "<h1>shop.example</h1>" + _CHALLENGE, _NOINDEX)),
    ),
    "cloudflare by its header alone": (
        "Cloudflare",
        _at(_page("Shop of teas", "<div id=x></div>"), cf_mitigated="challenge"),
    ),
    "cloudflare of five seconds": (
        "Cloudflare",
        _at(
            _page(
                "Just a moment...",
                '<div id="cf-content"><h1>Checking your browser before accessing shop.example.</h1>'
                "<p>This process is automatic.</p></div><script src='/cf.js'></script>"
                "<div class='cf-browser-verification'></div>",
            )
        ),
    ),
    "cloudflare block": (
        "Cloudflare",
        _at(
            _page(
                "Attention Required! | Cloudflare",
                '<div id="cf-error-details" class="cf-error-details-wrapper"><h1>Sorry, you have'
                " been blocked</h1><p>You are unable to access shop.example</p></div>",
                '<link rel="stylesheet" href="/cdn-cgi/styles/cf.errors.css">',
            )
        ),
    ),
    "anubis": (
        "Anubis",
        _at(
            _page(
                "Making sure you&#39;re not a bot!",
                '<main><h1>Making sure you&#39;re not a bot!</h1><img src="/.within.website/x/cmd/'
                'anubis/static/img/pensive.webp"><p id="status">Loading...</p><details><p>The owner'
                " of this site has put Anubis before it, so that machines that read the whole site"
                " at once do not take it down. Your browser has a sum to do.</p></details></main>"
                '<script id="anubis_challenge" type="application/json">{"rules":{}}</script>'
                '<script async type="module" src="/.within.website/x/cmd/anubis/main.mjs">'
                "</script>",
                '<link rel="stylesheet" href="/.within.website/x/xess/xess.min.css">',
            )
        ),
    ),
    "anubis with a title of the site's own": (
        "Anubis",
        _at(
            _page(
                "Forge der Gemeinde",
                '<script id="anubis_challenge" type="application/json">{}</script><p>Bitte warten'
                "</p>",
                _NOINDEX,
            )
        ),
    ),
    "go-away": (
        "go-away",
        _at(
            _page(
                "Checking you are not a bot",
                "<p>Checking you are not a bot</p><script src='/.well-known/.git.gammaspectra.live/"
                "git/go-away/cmd/go-away/challenge/js/script.mjs'></script>",
            )
        ),
    ),
    "datadome": (
        "DataDome",
        _at(
            _page(
                "shop.example",
                '<p id="cmsg">Please enable JS and disable any ad blocker</p><script>var dd='
                "{'rt':'c','cid':'AHrlq','hsh':'A1','t':'bv','host':'geo.captcha-delivery.com'}"
                "</script><script src='https://ct.captcha-delivery.com/c.js'></script>",
            ),
            x_datadome="protected",
        ),
    ),
    "human": (
        "HUMAN",
        _at(
            _page(
                "Access to this page has been denied",
                '<h1>Press &amp; Hold to confirm you are a human</h1><div id="px-captcha"></div>'
                "<script>window._pxAppId='PXabc';window._pxBlockedUrl='/';</script>",
                _NOINDEX,
            )
        ),
    ),
    "human with the site's words": (
        "HUMAN",
        _at(
            _page(
                "Robot or human?",
                '<p>Activate and hold the button</p><div id="px-captcha"></div>',
            )
        ),
    ),
    "akamai crypto challenge": (
        "Akamai",
        _at(
            "<html><head></head><body><div id='sec-if-cpt-container'></div><script src='/_sec/"
            "cp_challenge/sec-cpt-4-5.js' async defer></script></body></html>"
        ),
    ),
    "akamai bm-verify": (
        "Akamai",
        _at(
            '<html><head><meta http-equiv="refresh" content="5; URL=\'/tea/42?bm-verify=AAQAAAAJ\'"'
            "/></head><body><script>var i = 17;</script></body></html>"
        ),
    ),
    "akamai denied": (
        "Akamai",
        _at(
            "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't"
            ' have permission to access "http&#58;&#47;&#47;shop" on this server.<P>Reference'
            "&#32;&#35;18&#46;5c<P>https&#58;&#47;&#47;errors&#46;edgesuite&#46;net&#47;18"
            "</BODY></HTML>"
        ),
    ),
    "imperva frame": (
        "Imperva",
        _at(
            '<html style="height:9em"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW"></head>'
            '<body><iframe id="main-iframe" src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=9" '
            'width="100%">Request unsuccessful. Incapsula incident ID: 877000-5</iframe></body>'
            "</html>"
        ),
    ),
    "imperva script": (
        "Imperva",
        _at(
            '<html><head><META NAME="robots" CONTENT="noindex,nofollow"><script '
            'src="/_Incapsula_Resource?SWJIYLWA=5074a744e2e3"></script><body></body></html>'
        ),
    ),
    "aws challenge": (
        "AWS WAF",
        _at(
            '<!DOCTYPE html><html><head><title></title></head><body><div id="challenge-container">'
            '</div><script>window.gokuProps = {"key":"AQ","iv":"C"};</script><script src="https://'
            'ab.cd.eu-west-1.token.awswaf.com/ab/challenge.js"></script><script>AwsWafIntegration.'
            "checkForceRefresh();</script></body></html>"
        ),
    ),
    "aws by its header": (
        "AWS WAF",
        _at(_page("Human Verification", "<div id=a></div>"), x_amzn_waf_action="captcha"),
    ),
    "sucuri": (
        "Sucuri",
        _at(
            "<html><title>You are being redirected...</title><noscript>Javascript is required."
            "</noscript><script>var s={},u,c,U,r,i,l=0,a,e=eval,w=String.fromCharCode,"
            "sucuri_cloudproxy_js='',S='cz0';</script></html>"
        ),
    ),
    "sucuri block": (
        "Sucuri",
        _at(
            _page(
                "Sucuri WebSite Firewall - Access Denied",
                "<h1>Access Denied - Sucuri Website Firewall</h1><p>Block ID: GEO02</p>",
            )
        ),
    ),
    "f5 rejected": (
        "F5",
        _at(
            _page(
                "Request Rejected",
                "The requested URL was rejected. Please consult with your administrator.<br><br>"
                "Your support ID is: 1234567890<br><a href='javascript:history.back();'>Back</a>",
            )
        ),
    ),
    "f5 script": (
        "F5",
        _at(
            '<html><head><script>window["bobcmn"] = "101110";</script></head><body><noscript>Please'
            " enable JavaScript to view the page content.<br/>Your support ID is: 77.</noscript>"
            "</body></html>"
        ),
    ),
    "kasada": (
        "Kasada",
        _at(
            "<html><head></head><body><script>window.KPSDK={};KPSDK.now=1;</script><script src='/"
            "149e9513/2d206a39/ips.js?x=1'></script></body></html>"
        ),
    ),
    "radware": (
        "Radware",
        _at(
            _page(
                "Radware Bot Manager Captcha",
                "<p>We want to know that it is you.</p><form action='https://validate.perfdrive.com"
                "/captcha'></form>",
            )
        ),
    ),
    "siteground": (
        "SiteGround",
        _at(
            '<html><head><link rel="icon" href="/i"><meta http-equiv="refresh" content="0;/.well'
            '-known/sgcaptcha/?r=%2Ftea%2F42&y=ipr"></meta></head></html>',
            sg_captcha="challenge",
        ),
    ),
    "vercel": (
        "Vercel",
        _at(
            _page(
                "Vercel Security Checkpoint",
                "<p>We're verifying your browser</p><p>Vercel Security Checkpoint</p>",
            )
        ),
    ),
    "ddos-guard": (
        "DDoS-Guard",
        _at(
            _page(
                "DDoS-Guard",
                "<h1>Checking your browser before accessing shop.example</h1><script src='/.well-"
                "known/ddos-guard/js-challenge/index.js'></script>",
            )
        ),
    ),
    "distil": (
        "Distil",
        _at(
            _page(
                "Pardon Our Interruption",
                "<h1>Pardon Our Interruption</h1><p>Something in your browser made us think you"
                " were a bot.</p>",
            )
        ),
    ),
    "the captcha of a bookseller": (
        "Amazon",
        _at(
            _page(
                "Robot Check",
                "<h4>Enter the characters you see below</h4><form method=get "
                'action="/errors/validateCaptcha"><input id=captchacharacters name=field-keywords>'
                "</form>",
            )
        ),
    ),
    "unusual traffic": (
        "Google",
        _at(
            _page(
                "https://search.example/?q=tea",
                "<form id=captcha-form action=index><div class=g-recaptcha></div></form>"
                "<p>Our systems have detected unusual traffic from your computer network.</p>",
            )
        ),
    ),
    "recaptcha of the site's own": (
        "captcha",
        _at(
            _page(
                "Security check",
                "<h1>Please verify that you are not a robot</h1><form><div class=g-recaptcha></div>"
                "<button>Go on</button></form><script src='https://www.google.com/recaptcha/api.js'>"
                "</script>",
            )
        ),
    ),
    "hcaptcha of the site's own": (
        "captcha",
        _at(
            _page(
                "One more step",
                "<p>Complete the captcha to reach shop.example</p><div class=h-captcha></div>"
                "<script src='https://js.hcaptcha.com/1/api.js'></script>",
            )
        ),
    ),
    "turnstile of the site's own": (
        "captcha",
        _at(
            _page(
                "Verification required",
                "<p>We need to verify you are human.</p><div class=cf-turnstile></div><script src="
                "'https://challenges.cloudflare.com/turnstile/v0/api.js'></script>",
            )
        ),
    ),
    "turnstile below the site's own title": (
        "captcha",
        _at(
            _page(
                "Shop of rare and of common teas",
                "<h1>shop.example</h1><p>Verify you are human by the box below. <a href=/help>Why?"
                "</a></p><div class=cf-turnstile></div><script src='https://challenges.cloudflare"
                ".com/turnstile/v0/api.js'></script>",
                "<style>" + "p { margin: 1em } " * 200 + "</style>",
            )
        ),
    ),
    "a check without a name": (
        "bot check",
        _at(
            _page(
                "One moment, please...",
                "<h1>Please wait while your request is being verified...</h1><script>go()</script>",
            )
        ),
    ),
    "a check by refresh": (
        "bot check",
        _at(
            _page(
                "Checking your browser",
                "<p>We are checking your browser. You will be redirected.</p>",
                '<meta http-equiv="refresh" content="5">',
            )
        ),
    ),
    "a login by redirect": (
        "login",
        _at(
            _page("Shop of teas", "<h1>Welcome back</h1>" + _LOGIN),
            url="https://shop.example/login?next=%2Ftea%2F42",
            origin=SITE,
        ),
    ),
    "a login by redirect without the way back": (
        "login",
        _at(
            _page("Shop of teas", "<h1>Welcome back</h1>" + _LOGIN),
            url="https://shop.example/users/sign_in",
            origin=SITE,
        ),
    ),
    "a login of a large site": (
        "login",
        _at(
            _page("Log in", _LOGIN + "<a href=/about>About us</a>" * 30),
            url="https://shop.example/accounts/login/?next=https%3A%2F%2Fshop.example%2Ftea%2F42",
            origin=SITE,
        ),
    ),
    "a login in place": (
        "login",
        _at(_page("Sign in | Shop", "<p>Please sign in to continue reading.</p>" + _LOGIN)),
    ),
    "members only": (
        "login",
        _at(_page("Members only", "<p>You must be logged in to view this page.</p>" + _LOGIN)),
    ),
    "consent of a search engine": (
        "consent",
        _at(
            _page(
                "Before you continue",
                "<h1>Before you continue</h1><p>We use cookies and data to keep up our services."
                '</p><form action="https://consent.google.com/save" method=post><button>Accept all'
                "</button></form>",
            ),
            url="https://consent.google.example/m?continue=x",
            origin=SITE,
        ),
    ),
    "consent of a portal": (
        "consent",
        _at(
            _page(
                "Portal",
                '<form class="consent-form" action="/v2/collectConsent?sessionId=3" method=post>'
                "<p>With your consent we and our partners store cookies.</p><button>Accept all"
                "</button></form>",
            ),
            url="https://consent.portal.example/v2/collectConsent?sessionId=3",
            origin="https://portal.example/news/7",
        ),
    ),
    "a cookie wall": (
        "consent",
        _at(
            _page(
                "Cookiewall - Krant",
                "<p>Read on with cookies, or take a subscription.</p><button>Accept</button>",
            )
        ),
    ),
}

_PARAGRAPH = "<p>" + "Green tea is steamed or roasted soon after it was picked. " * 12 + "</p>"
_ARTICLE = f"<article><h1>Tea</h1>{_PARAGRAPH * 4}</article>"

INNOCENT: dict[str, Answer] = {
    "an article about cloudflare": _at(
        _page(
            "Just a moment... what Cloudflare checks",
            "<article><p>The page says «Checking your browser» and sets <code>_cf_chl_opt</code>;"
            " its script comes from <code>/cdn-cgi/challenge-platform/</code>, and it says: Enable"
            f" JavaScript and cookies to continue.</p>{_PARAGRAPH * 4}</article>",
        )
    ),
    "a short answer about a challenge": _at(
        _page(
            "What is _cf_chl_opt? | Questions",
            "<p>It is a variable of the challenge: &lt;script>window._cf_chl_opt=…, loaded from"
            " /cdn-cgi/challenge-platform/h/b/orchestrate/.</p><script src=/a.js></script>",
        )
    ),
    "the manual of anubis": _at(
        _page(
            "Anubis: weigh the soul of a request | Anubis",
            "<h1>Anubis</h1><p>It serves its scripts below /.within.website/x/cmd/anubis/ and an"
            ' element <code>id="anubis_challenge"</code>. Visitors see: Making sure you\'re not a'
            f" bot!</p><script src=/assets/main.js></script>{_PARAGRAPH * 4}",
        )
    ),
    "a short manual of anubis": _at(
        _page(
            "Anubis bot check: paths",
            "<p>All paths start with <code>/.within.website/x/cmd/anubis/</code>.</p>"
            "<script src=/assets/main.js></script>",
        )
    ),
    "a page that cloudflare let through": _at(
        _page(
            "Access to tea",
            "<h1>Tea</h1><p>Two kinds.</p><script>(()=>{var d=document.createElement('script')"
            ";d.src='/cdn-cgi/challenge-platform/scripts/jsd/main.js';})();</script>",
        ),
        cf_ray="8f0",
        server="cloudflare",
    ),
    "a page that imperva let through": _at(
        _page(
            "Security of tea",
            "<h1>Tea</h1><p>Two kinds.</p><script src='/_Incapsula_Resource?SWJIYLWA=719d&ns=2'>"
            "</script>",
            _NOINDEX,
        )
    ),
    "a page that datadome let through": _at(
        _page(
            "shop.example",
            "<h1>Tea</h1><p>Two kinds.</p><script src='https://js.datadome.co/tags.js'></script>",
        ),
        x_datadome="protected",
        set_cookie="datadome=abc",
    ),
    "a page that human let through": _at(
        _page(
            "Robot vacuums",
            "<h1>Robots</h1><p>Ten of them.</p><script>window._pxAppId='PXabc';</script>"
            "<script src='https://client.px-cloud.net/PXabc/main.min.js'></script>",
        )
    ),
    "a page that akamai let through": _at(
        _page("Denied, a novel", "<h1>Denied</h1><p>A novel.</p><script src=/aKq3/x></script>"),
        set_cookie="_abck=AB; path=/",
    ),
    "a page with the sdk of aws": _at(
        _page(
            "Request a sample",
            "<h1>Samples</h1><p>We send them.</p><script src='https://ab.edge.sdk.awswaf.com/ab/"
            "challenge.js' defer></script>",
        )
    ),
    "a contact form with recaptcha": _at(
        _page(
            "Contact",
            "<h1>Write to us</h1><form><input type=email name=e><textarea name=t></textarea><div "
            "class=g-recaptcha></div><p>Please confirm that you are not a robot.</p></form><script "
            "src='https://www.google.com/recaptcha/api.js'></script>",
        )
    ),
    "a newsletter with hcaptcha": _at(
        _page(
            "Continue to the newsletter",
            "<p>Verify you are human, then you hear of us.</p><form><input type='email'><div "
            "class=h-captcha></div></form>",
        )
    ),
    "an invisible recaptcha on every page": _at(
        _page(
            "Privacy of tea",
            "<p>Tea is private. This site is protected by reCAPTCHA.</p><script src='https://"
            "www.google.com/recaptcha/api.js?render=k'></script>",
        )
    ),
    "a login page that was asked for": _at(
        _page("Log in | Shop", "<p>Please log in to continue.</p>" + _LOGIN),
        url="https://shop.example/login",
    ),
    "a login page with the way back that was asked for": _at(
        _page("Sign in", _LOGIN), url="https://shop.example/users/sign_in?next=%2Ftea%2F42"
    ),
    "an article with a login form in its head": _at(
        _page(
            "Log of a journey",
            _LOGIN + "<p>You must be logged in to comment.</p><p>We came to the tea fields.</p>",
        )
    ),
    "the login that an account asks for": _at(
        _page("Account", _LOGIN),
        url="https://shop.example/login",
        origin="https://shop.example/account",
    ),
    "a page to which a redirect led": _at(
        _page("Tea", _LOGIN + "<p>Two kinds of tea.</p>"),
        url="https://shop.example/tea/42-green?ref=nav",
        origin=SITE,
    ),
    "a cookie banner over an article": _at(
        _page(
            "Cookies and tea",
            "<div class=banner>We use cookies. <button>Accept all</button><button>Reject</button>"
            f"</div>{_ARTICLE}",
        )
    ),
    "a cookie banner over a short page": _at(
        _page(
            "Cookie recipes",
            "<div class=banner>We use cookies. <button>Accept all</button></div><p>Flour.</p>",
        )
    ),
    "the privacy policy": _at(
        _page("Privacy and cookie consent", f"<p>We ask for your consent.</p>{_PARAGRAPH * 5}")
    ),
    "a short page": _at(_page("A", "same text")),
    "an empty page": _at(""),
    "a page without a title": _at("<p>Hello</p><script>go()</script>"),
    "a soft 404": _at(
        _page("Not found", "<h1>Page not found</h1><p>Try the search.</p><script>1</script>")
    ),
    "the shell of an application": _at(
        _page(
            "App",
            "<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"
            "<script src=/static/js/main.1a.js></script>",
        )
    ),
    "a moment of history": _at(
        _page("One moment in history", "<p>The kettle was invented.</p><script>a()</script>")
    ),
    "a question about a check": _at(
        _page(
            "Why do I see «Just a moment...»? | Help",
            "<p>Because the shop is checking your browser.</p><script src=/a.js></script>",
        )
    ),
    "a novel called access denied": _at(
        _page("Access Denied", "<h1>Access Denied</h1><p>A novel in three parts. 12 €.</p>")
    ),
    "a redirecting page": _at(
        _page(
            "Redirecting...",
            '<p><a href="/new">Redirecting</a></p>',
            '<meta http-equiv="refresh" content="0; url=/new">',
        )
    ),
    "a captcha for sale": _at(
        _page(
            "Captcha services compared",
            f"<p>g-recaptcha or hcaptcha.com: are you a robot?</p>{_PARAGRAPH * 2}",
        )
    ),
    "json": (
        SITE,
        None,
        {"Content-Type": "application/json"},
        '{"error": "Enable JavaScript and cookies to continue"}',
    ),
    "a list of many links": _at(
        _page(
            "Sign in and other pages",
            "<p>Please sign in to continue.</p>" + _LOGIN + "<a href=/x>x</a>" * 30,
        )
    ),
}
