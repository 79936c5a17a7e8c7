//! A browser, and what a person does with it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::error::{CmdError, ErrorStatus};
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a page may take to say what a test waits for, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two looks at a page.
const LOOK_EVERY: Duration = Duration::from_millis(25);
const MISSING: &str = "THE BROWSER TESTS NEED chromium AND chromedriver: run .ci/run, which installs them, or \
                       apt-get install chromium chromium-driver";
const AXE: &str = include_str!("vendor/axe.min.js");

/// Flags that keep the browser from doing things by itself, and let it run without a screen.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=pt-BR",
    "--window-size=1100,1400",
];

/// chromedriver on a port of its own; the browsers that it started end with it.
pub(crate) struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    pub(crate) fn start() -> Driver {
        let found = Command::new("chromium").arg("--version").stderr(Stdio::null()).output();
        assert!(found.is_ok_and(|version| version.status.success()), "{MISSING}");
        let command = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = command.unwrap_or_else(|error| panic!("{MISSING} ({error})"));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("chromedriver says on which port it listens");
        // Its pipe must stay open for whatever else it says.
        std::thread::spawn(move || lines.for_each(drop));
        Driver { process, url: format!("http://127.0.0.1:{port}") }
    }

    /// A new browser that shares nothing with any other.
    pub(crate) async fn browser(&self) -> Browser {
        self.browser_with(json!({})).await
    }

    /// A browser in which pages run no scripts.
    pub(crate) async fn browser_without_scripts(&self) -> Browser {
        self.browser_with(json!({"profile.managed_default_content_settings.javascript": 2})).await
    }

    async fn browser_with(&self, preferences: Value) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).into();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let mut capabilities = Capabilities::new();
        capabilities
            .insert("goog:chromeOptions".into(), json!({"args": flags, "prefs": &preferences}));
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.url).await.unwrap();
        let runs_scripts = preferences == json!({});
        Browser { client, runs_scripts, _profile: profile }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) struct Browser {
    client: Client,
    runs_scripts: bool,
    _profile: TempDir,
}

impl Browser {
    /// Whether pages may run scripts here.
    pub(crate) fn runs_scripts(&self) -> bool {
        self.runs_scripts
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The same where perhaps nobody answers; returns whether somebody did.
    pub(crate) async fn try_open(&self, url: &str) -> bool {
        self.client.goto(url).await.is_ok()
    }

    pub(crate) async fn close(self) {
        self.client.close().await.unwrap();
    }

    pub(crate) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    /// All that can be read on the page.
    pub(crate) async fn text(&self) -> String {
        // Between two pages there is no body.
        let body = self.client.find(Locator::Css("body")).await;
        match body {
            Ok(body) => body.text().await.unwrap_or_default().replace('\u{a0}', " "),
            Err(_) => String::new(),
        }
    }

    /// Waits until the page says this.
    pub(crate) async fn sees(&self, text: &str) {
        self.sees_one_of(&[text]).await;
    }

    /// Waits until the page says one of these; returns which.
    pub(crate) async fn sees_one_of(&self, texts: &[&str]) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let page = self.text().await;
            if let Some(found) = texts.iter().position(|text| page.contains(text)) {
                return found;
            }
            assert!(Instant::now() < deadline, "the page does not say {texts:?}:\n{page}");
            actix_rt::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for an element of the page.
    pub(crate) async fn find(&self, css: &str) -> Element {
        let found = self
            .client
            .wait()
            .at_most(PATIENCE)
            .every(LOOK_EVERY)
            .for_element(Locator::Css(css))
            .await;
        match found {
            Ok(element) => element,
            Err(error) => panic!("no {css}: {error}\n{}", self.text().await),
        }
    }

    /// The text of an element.
    pub(crate) async fn text_of(&self, css: &str) -> String {
        self.find(css).await.text().await.unwrap().replace('\u{a0}', " ")
    }

    /// The value of a field.
    pub(crate) async fn value_of(&self, css: &str) -> String {
        self.find(css).await.prop("value").await.unwrap().unwrap()
    }

    /// Types a text into a field, found by its name, in place of what is there.
    pub(crate) async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("main [name='{name}']")).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses an entry of a list by the beginning of its value.
    pub(crate) async fn choose(&self, name: &str, value: &str) {
        self.find(&format!("main select[name='{name}'] option[value^='{value}']"))
            .await
            .click()
            .await
            .unwrap();
    }

    /// Chooses a radio button.
    pub(crate) async fn tick(&self, name: &str, value: &str) {
        self.find(&format!("main input[name='{name}'][value='{value}']"))
            .await
            .click()
            .await
            .unwrap();
    }

    /// Presses the button or follows the link with this label.
    pub(crate) async fn press(&self, label: &str) {
        let (path, deadline) = (pressed(label), Instant::now() + PATIENCE);
        loop {
            let wait = self.client.wait().at_most(PATIENCE).every(LOOK_EVERY);
            match wait.for_element(Locator::XPath(&path)).await {
                Ok(button) => match self.click_in_the_middle(&button).await {
                    // A script has meanwhile put another page in its place, or scrolled it away.
                    Err(error) if error.is_stale_element_reference() => {}
                    Err(error) if is_covered(&error) && Instant::now() < deadline => {}
                    clicked => return clicked.unwrap(),
                },
                Err(error) => panic!("no {label}: {error}\n{}", self.text().await),
            }
        }
    }

    /// The same if it is there now; a page that a script is just replacing no longer has it.
    pub(crate) async fn press_if_there(&self, label: &str) {
        if let Ok(button) = self.client.find(Locator::XPath(&pressed(label))).await {
            match button.click().await {
                Err(error) if error.is_stale_element_reference() => {}
                clicked => clicked.unwrap(),
            }
        }
    }

    /// Clicks on the element that a selector names, wherever on the page it is.
    pub(crate) async fn click(&self, css: &str) {
        self.click_in_the_middle(&self.find(css).await).await.unwrap();
    }

    /// Smooth scrolling and what lies above must not decide whether a click arrives.
    async fn click_in_the_middle(&self, element: &Element) -> Result<(), CmdError> {
        let script = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
        self.client.execute(script, vec![serde_json::to_value(element).unwrap()]).await?;
        element.click().await
    }

    /// Presses a key, wherever the keyboard focus is.
    pub(crate) async fn key(&self, key: &str) {
        self.client.active_element().await.unwrap().send_keys(key).await.unwrap();
    }

    /// The same for a script that answers later, through its last argument.
    pub(crate) async fn evaluate_later(&self, script: &str) -> Value {
        self.client.execute_async(script, vec![]).await.unwrap()
    }

    /// Runs a script as the browser's own tools do, whatever the page may run itself.
    pub(crate) async fn evaluate(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Runs a script until it returns what the test waits for.
    pub(crate) async fn evaluate_until(
        &self,
        script: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.evaluate(script).await;
            if is_it(&seen) {
                return seen;
            }
            assert!(Instant::now() < deadline, "it stays at {seen}");
            actix_rt::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The content at this address, fetched with the page's session.
    pub(crate) async fn fetch(&self, path: &str) -> String {
        let script = "const done = arguments[1]; fetch(arguments[0]).then((answer) => answer.text()).then(done, (error) => done('' + error));";
        self.client
            .execute_async(script, vec![json!(path)])
            .await
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A picture of an element: its width and each pixel's brightness.
    pub(crate) async fn picture(&self, css: &str) -> (usize, Vec<u8>) {
        let png = self.find(css).await.screenshot().await.unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let samples = info.color_type.samples();
        (info.width as usize, pixels.chunks(samples).map(|pixel| pixel[0]).collect())
    }

    /// A picture, as PNG, of the page laid out for a window of this width, down to the end of an
    /// element.
    pub(crate) async fn screenshot(&self, width: u32, last: &str) -> Vec<u8> {
        let sized = |height: &Value| json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.tools("Emulation.setDeviceMetricsOverride", sized(&json!(1))).await;
        let end = format!(
            "return Math.ceil(document.querySelector('{last}').getBoundingClientRect().bottom + scrollY)"
        );
        let height = self.evaluate(&end).await;
        self.tools("Emulation.setDeviceMetricsOverride", sized(&height)).await;
        let png = self.client.screenshot().await.unwrap();
        self.tools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        png
    }

    /// The width of the window in pixels, as on a telephone or a desk.
    pub(crate) async fn resize(&self, width: u32) {
        self.client.set_window_size(width, 900).await.unwrap();
    }

    /// Lays pages out for a window of this width, narrower than the browser's own can be.
    pub(crate) async fn as_wide_as(&self, width: u32) {
        let size = json!({"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": false});
        self.tools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Tells the page whether its reader prefers light or dark.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.tools("Emulation.setEmulatedMedia", json!({"features": features})).await;
    }

    /// The session is over, as far as the browser knows.
    pub(crate) async fn forget_cookies(&self) {
        self.client.delete_all_cookies().await.unwrap();
    }

    /// From now on every visit is a first one: nothing that was loaded is cached.
    pub(crate) async fn forget_what_it_loads(&self) {
        self.tools("Network.enable", json!({})).await;
        self.tools("Network.setCacheDisabled", json!({"cacheDisabled": true})).await;
    }

    async fn tools(&self, method: &str, parameters: Value) -> Value {
        self.client.issue_cmd(Tools(json!({"cmd": method, "params": parameters}))).await.unwrap()
    }

    /// axe-core finds no serious fault on the page, light and dark.
    pub(crate) async fn is_accessible(&self) {
        for scheme in ["light", "dark"] {
            self.prefer(scheme).await;
            self.evaluate(&format!("if (!window.axe) {{ {AXE} }}")).await;
            let script = "const done = arguments[0]; axe.run(document, {resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}).then((result) => \
                done(result.violations.map((fault) => [fault.impact, fault.id, fault.nodes.map((node) => node.html + ' ' + node.failureSummary)])), \
                (error) => done([['critical', '' + error, []]]));";
            let faults = self.client.execute_async(script, vec![]).await.unwrap();
            let faults = faults.as_array().unwrap();
            let grave: Vec<_> = faults
                .iter()
                .filter(|fault| fault[0] == "serious" || fault[0] == "critical")
                .collect();
            let path = self.path().await;
            assert!(grave.is_empty(), "axe-core on {path}, {scheme}:\n{grave:#?}");
            for fault in faults {
                eprintln!("axe-core on {path}, {scheme}: {} {} {}", fault[0], fault[1], fault[2]);
            }
        }
        self.is_no_wider_than_its_window().await;
    }

    /// Nothing has to be scrolled sideways.
    pub(crate) async fn is_no_wider_than_its_window(&self) {
        let (wide, view) = (
            self.evaluate("return document.documentElement.scrollWidth").await,
            self.evaluate("return window.innerWidth").await,
        );
        assert!(
            wide.as_u64() <= view.as_u64(),
            "{} is {wide} wide in a window of {view}",
            self.path().await
        );
    }
}

/// A command of Chromium's own tools.
#[derive(Debug)]
struct Tools(Value);

impl WebDriverCompatibleCommand for Tools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

/// Whether something else lies where the click would have been.
fn is_covered(error: &CmdError) -> bool {
    matches!(error, CmdError::Standard(why) if why.error == ErrorStatus::ElementClickIntercepted)
}

/// The button or link with this label.
fn pressed(label: &str) -> String {
    format!(
        "//*[self::button or self::a or self::summary][starts-with(concat(normalize-space(.), ' '), '{label} ')]"
    )
}
