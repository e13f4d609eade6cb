//! A headless Chromium, driven over its debugging pipe (Chrome DevTools Protocol): JSON messages that end with a zero byte.
//! No driver besides the browser, and no port.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Long enough for any answer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its names, on Debian and elsewhere.
const PROGRAMS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Nothing but the page: no network, no profile of anybody.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
];

/// A browser with one tab.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    number: u64,
    session: Option<String>,
    /// What it told without being asked.
    events: Vec<Value>,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser; `None`, and a line that says so, where none is installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find_map(found) else {
            // Past the test's captured output, so that it is seen.
            let told = "skipped: no chromium is installed, the page is not looked at in a browser";
            let _ = writeln!(std::io::stderr(), "{told}");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // It reads commands from descriptor 3 and answers on 4: here those are its standard input and output.
        let mut child = Command::new("sh")
            .args([
                "-c",
                r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#,
            ])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, from) = mpsc::channel();
        thread::spawn(move || {
            let mut out = BufReader::new(out);
            let mut message = Vec::new();
            while matches!(out.read_until(0, &mut message), Ok(1..)) {
                let text = message.strip_suffix(&[0]).unwrap_or(&message);
                let told = serde_json::from_slice(text).unwrap_or(Value::Null);
                if sender.send(told).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            number: 0,
            session: None,
            events: Vec::new(),
            profile,
        };
        let tab = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": tab["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Asks for something and waits for the answer.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let told = self.next(method);
            if told["id"] == self.number {
                assert!(told["error"].is_null(), "{method}: {}", told["error"]);
                return told["result"].clone();
            }
            self.events.push(told);
        }
    }

    fn next(&mut self, wanted: &str) -> Value {
        let told = self.from.recv_timeout(PATIENCE);
        told.unwrap_or_else(|_| panic!("chromium did not answer: {wanted}"))
    }

    /// A window of this size in CSS pixels, that of a telephone where `mobile`.
    pub(crate) fn size(&mut self, width: u32, height: u32, mobile: bool) {
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// `light` or `dark`.
    pub(crate) fn scheme(&mut self, scheme: &str) {
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            // Nothing that moves while it is looked at.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        self.call("Emulation.setEmulatedMedia", &json!({"features": features}));
    }

    /// Loads a page from disk, and waits until it is there.
    pub(crate) fn open(&mut self, html: &str) -> PathBuf {
        let path = self.profile.path().join("page.html");
        std::fs::write(&path, html).unwrap();
        self.events.clear();
        let url = format!("file://{}", path.display());
        self.call("Page.navigate", &json!({"url": url}));
        while !self
            .events
            .iter()
            .any(|event| event["method"] == "Page.loadEventFired")
        {
            let told = self.next("the page");
            self.events.push(told);
        }
        path
    }

    /// The value of an expression in the page.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", &params);
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {result}"
        );
        result["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, expression: &str) -> String {
        let value = self.eval(expression);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{expression} is {value}"))
            .to_owned()
    }

    /// The middle of the element that a selector finds, in the window, after it is scrolled there.
    pub(crate) fn middle(&mut self, selector: &str) -> (f64, f64) {
        let place = self.eval(&format!(
            "(() => {{ const found = document.querySelector({selector:?}); \
             found.scrollIntoView({{block: 'center', behavior: 'instant'}}); \
             const box = found.getBoundingClientRect(); \
             return [box.left + box.width / 2, box.top + box.height / 2]; }})()"
        ));
        (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
    }

    pub(crate) fn point_at(&mut self, (x, y): (f64, f64)) {
        self.mouse("mouseMoved", (x, y), "none");
    }

    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.middle(selector);
        self.mouse("mouseMoved", place, "none");
        self.mouse("mousePressed", place, "left");
        self.mouse("mouseReleased", place, "left");
    }

    fn mouse(&mut self, what: &str, (x, y): (f64, f64), button: &str) {
        let event = json!({"type": what, "x": x, "y": y, "button": button, "clickCount": 1});
        self.call("Input.dispatchMouseEvent", &event);
    }

    pub(crate) fn tap(&mut self, (x, y): (f64, f64)) {
        let touch = |what: &str, points: Value| json!({"type": what, "touchPoints": points});
        self.call(
            "Input.dispatchTouchEvent",
            &touch("touchStart", json!([{"x": x, "y": y}])),
        );
        self.call("Input.dispatchTouchEvent", &touch("touchEnd", json!([])));
    }

    pub(crate) fn press(&mut self, key: &str) {
        for what in ["keyDown", "keyUp"] {
            let code = match key {
                "Tab" => 9,
                "Escape" => 27,
                "End" => 35,
                "Home" => 36,
                "ArrowLeft" => 37,
                _ => 39,
            };
            let event =
                json!({"type": what, "key": key, "code": key, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// What went wrong since the page was opened: exceptions, lines of the console, and whatever was asked of a network.
    pub(crate) fn complaints(&mut self, page: &Path) -> Vec<String> {
        // What was told before this answer has arrived with it.
        self.eval("0");
        let own = format!("file://{}", page.display());
        let complaint = |event: &Value| match event["method"].as_str()? {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => {
                Some(event["params"].to_string())
            }
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str()?;
                (url != own).then(|| format!("a request of {url}"))
            }
            _ => None,
        };
        self.events.iter().filter_map(complaint).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It has ended already, where a test found it so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of a program, where it is installed.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
