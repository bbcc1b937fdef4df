//! A real browser, Debian's Chromium without a window, driven over WebDriver.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::Method;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use url::Url;

/// Finds faults of accessibility; Deque's axe-core, unchanged (`tests/axe`).
const AXE: &str = include_str!("../axe/axe.min.js");

/// Where Debian keeps Chromium.
const DEBIANS: &str = "/usr/bin/chromium";

/// A browser window, closed when dropped.
pub struct Browser {
    /// The page it shows.
    pub page: Client,
    url: String,
    driver: Child,
    port: u16,
}

impl Browser {
    /// A window on a console at `url`.
    pub async fn open(url: &str) -> Self {
        let (driver, port) = start_driver();
        let mut chromium = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900"],
        });
        // Where there is none, the driver looks for Chrome.
        if Path::new(DEBIANS).is_file() {
            chromium["binary"] = DEBIANS.into();
        }
        let wishes =
            json!({"goog:chromeOptions": chromium, "goog:loggingPrefs": {"browser": "ALL"}});
        let wishes = wishes.as_object().cloned().expect("it is an object");
        let page = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(wishes)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        Self {
            page,
            url: url.to_owned(),
            driver,
            port,
        }
    }

    /// Opens a page.
    pub async fn go(&self, path: &str) {
        let url = format!("{}{path}", self.url);
        self.page.goto(&url).await.expect("the page opens");
    }

    /// Types into a field.
    pub async fn fill(&self, css: &str, text: &str) {
        let field = self.page.find(Locator::Css(css)).await;
        let field = field.unwrap_or_else(|error| panic!("{css}: {error}"));
        field.clear().await.expect("the field is free");
        field.send_keys(text).await.expect("the field takes text");
    }

    /// Presses a button or a link.
    pub async fn press(&self, css: &str) {
        let found = self.page.find(Locator::Css(css)).await;
        let found = found.unwrap_or_else(|error| panic!("{css}: {error}"));
        found
            .click()
            .await
            .unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    /// Presses what leads to another page, and waits until the old one has gone: the driver answers when the click is done, which on a busy
    /// machine is before the browser has begun to leave.
    ///
    /// # Panics
    /// When it leads nowhere for half a minute.
    pub async fn follow(&self, css: &str) {
        let old = self.page.find(Locator::Css("html")).await;
        let old = old.expect("there is a page");
        self.press(css).await;
        let left = async { while old.tag_name().await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(30), left)
            .await
            .unwrap_or_else(|_| panic!("{css} leads nowhere"));
    }

    /// The words that are shown in the main part of the page.
    pub async fn words(&self) -> String {
        self.run("return document.querySelector('main').innerText", vec![])
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The address of the page, without the server.
    pub async fn path(&self) -> String {
        let url = self.page.current_url().await.expect("there is a page");
        match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        }
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        let result = self.page.execute(script, arguments).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script is true: what the page does by itself.
    pub async fn until(&self, script: &str) {
        let wait = format!(
            "const done = arguments[arguments.length - 1];\n\
             const look = () => (({script})) ? done(true) : requestAnimationFrame(look);\nlook();"
        );
        let result = self.page.execute_async(&wait, vec![]).await;
        result.unwrap_or_else(|error| panic!("{script}: {error}"));
    }

    /// Fetches a file with the session of the page.
    pub async fn fetch(&self, path: &str) -> String {
        let script = "const done = arguments[arguments.length - 1];\n\
                      fetch(arguments[0]).then(it => it.text()).then(done);";
        let text = self.page.execute_async(script, vec![path.into()]).await;
        text.expect("the file comes")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The serious faults of accessibility that axe-core finds in the page, one a line.
    pub async fn accessibility_faults(&self) -> Vec<String> {
        self.run(AXE, vec![]).await;
        let script = "const done = arguments[arguments.length - 1];\n\
                      axe.run().then(it => done(it.violations.filter(v => ['serious', 'critical'].includes(v.impact))\
                      .map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))));";
        let found = self.page.execute_async(script, vec![]).await;
        let found = found.expect("axe-core runs");
        found
            .as_array()
            .expect("it lists faults")
            .iter()
            .map(|it| it.as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// What the browser has complained about since it was last asked.
    pub async fn complaints(&self) -> Vec<String> {
        let logged = self.page.issue_cmd(BrowserLog).await;
        let logged = logged.expect("the driver keeps a log");
        logged
            .as_array()
            .expect("it is a list")
            .iter()
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Keeps a picture of the page under `target/tmp/screenshots`.
    pub async fn picture(&self, folder: &str, name: &str) {
        let png = self.page.screenshot().await.expect("the page is drawn");
        let folder = PathBuf::from(folder).join("screenshots");
        std::fs::create_dir_all(&folder).expect("there is a place for pictures");
        std::fs::write(folder.join(format!("{name}.png")), png).expect("the picture is kept");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killed, the driver would leave its browser behind; one that does not answer is killed all the same.
        drop(shut_down(self.port));
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}

/// Has the driver end its browser. Blocks, because a drop cannot wait otherwise; for ten seconds at most.
fn shut_down(port: u16) -> io::Result<()> {
    let mut driver = TcpStream::connect(("127.0.0.1", port))?;
    driver.set_read_timeout(Some(Duration::from_secs(10)))?;
    driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    driver.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn start_driver() -> (Child, u16) {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver is in PATH; Debian has it in chromium-driver");
    let output = driver.stdout.take().expect("it is piped");
    let port = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        })
        .expect("the driver names its port");
    (driver, port)
}

/// Chromium's own: what the page's console holds.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}
