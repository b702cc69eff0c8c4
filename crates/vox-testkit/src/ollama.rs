//! An Ollama that does as it is told: `/api/tags`, `/api/ps`, `/api/show`, `/api/chat` and `/api/embed` with the shapes of
//! the real one (docs.ollama.com/api), on top of the scriptable provider.

use crate::fake::Recorded;
use crate::{FakeProvider, Framing, Reply};
use serde_json::{Value, json};
use std::ops::Deref;

/// One model that is installed.
#[derive(Debug, Clone)]
pub struct OllamaModel {
    name: String,
    context: u64,
    parameters: String,
    capabilities: Vec<String>,
    loaded: Option<u64>,
}

impl OllamaModel {
    /// Returns a model that was made for this context and calls tools.
    #[must_use]
    pub fn new(name: &str, context: u64) -> Self {
        let capabilities = ["completion", "tools"].map(str::to_owned).to_vec();
        Self { name: name.to_owned(), context, parameters: "temperature                    0.6".to_owned(), capabilities, loaded: None }
    }

    /// Sets the context in the model's own settings.
    #[must_use]
    pub fn num_ctx(mut self, n_tokens: u64) -> Self {
        self.parameters = format!("num_ctx                        {n_tokens}\n{}", self.parameters);
        self
    }

    /// Makes the model one that is loaded with this context.
    #[must_use]
    pub const fn loaded(mut self, n_tokens: u64) -> Self {
        self.loaded = Some(n_tokens);
        self
    }

    /// Replaces what the model can do.
    #[must_use]
    pub fn capable(mut self, capabilities: &[&str]) -> Self {
        self.capabilities = capabilities.iter().map(|&name| name.to_owned()).collect();
        self
    }

    fn listed(&self) -> Value {
        json!({"name": self.name, "model": self.name, "modified_at": "2026-05-01T09:12:44.193847271+02:00", "size": 5_225_388_164_u64,
            "digest": "500a1f067a9f782620b40bee6f7b0c89e17ae61f686b92c24933e4ca4b2b8b41", "details": details()})
    }

    fn shown(&self) -> Value {
        json!({"license": "(text)", "modelfile": "FROM x", "parameters": self.parameters, "template": "{{ .Prompt }}", "details": details(),
            "model_info": {"general.architecture": "qwen3", "general.parameter_count": 8_190_735_360_u64, "qwen3.context_length": self.context},
            "capabilities": self.capabilities, "modified_at": "2026-05-01T09:12:44.193847271+02:00"})
    }
}

fn details() -> Value {
    json!({"parent_model": "", "format": "gguf", "family": "qwen3", "families": ["qwen3"], "parameter_size": "8.2B",
        "quantization_level": "Q4_K_M"})
}

/// An Ollama on loopback, stopped when dropped. Scripts of the provider below replace single answers.
pub struct FakeOllama(FakeProvider);

impl FakeOllama {
    /// Starts one with these models; it answers every chat with `hello from MODEL`.
    #[must_use]
    pub fn start(models: impl IntoIterator<Item = OllamaModel>) -> Self {
        let models: Vec<OllamaModel> = models.into_iter().collect();
        let fake = FakeProvider::start();
        let listed: Vec<Value> = models.iter().map(OllamaModel::listed).collect();
        // Whoever looks around on a machine reads to the end of the connection.
        fake.on("/api/tags", [Reply::json(200, &json!({ "models": listed })).framing(Framing::UntilClose)]);
        let loaded: Vec<Value> = models.iter().filter_map(running).collect();
        fake.on("/api/ps", [Reply::json(200, &json!({ "models": loaded }))]);
        let known = models.clone();
        fake.on(
            "/api/show",
            [Reply::made(move |request| find(&known, request).map_or_else(|refusal| refusal, |model| Reply::json(200, &model.shown())))],
        );
        let known = models.clone();
        fake.on(
            "/api/chat",
            [Reply::made(move |request| find(&known, request).map_or_else(|refusal| refusal, |model| chat(model, request)))],
        );
        fake.on(
            "/api/embed",
            [Reply::made(move |request| find(&models, request).map_or_else(|refusal| refusal, |model| embed(model, request)))],
        );
        Self(fake)
    }

    /// Returns a stream of these objects, one a line and a piece each.
    #[must_use]
    pub fn lines(lines: impl IntoIterator<Item = Value>) -> Reply {
        let pieces = lines.into_iter().map(|line| format!("{line}\n"));
        Reply::new(200, "").header("content-type", "application/x-ndjson").pieces(pieces).framing(Framing::Chunked)
    }

    /// Returns the lines of an answer: one for each message, and the last one with the counts.
    #[must_use]
    pub fn answer(model: &str, messages: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let at = "2026-05-17T06:40:00.123456789Z";
        let line = |message: Value| json!({"model": model, "created_at": at, "message": message, "done": false});
        let mut lines: Vec<Value> = messages.into_iter().map(line).collect();
        lines.push(json!({"model": model, "created_at": at, "message": {"role": "assistant", "content": ""}, "done": true,
            "done_reason": "stop", "total_duration": 4_883_583_458_u64, "load_duration": 1_334_875, "prompt_eval_count": 26,
            "prompt_eval_duration": 342_546_000, "eval_count": 4, "eval_duration": 4_535_599_000_u64}));
        lines
    }
}

impl Deref for FakeOllama {
    type Target = FakeProvider;

    fn deref(&self) -> &FakeProvider {
        &self.0
    }
}

fn running(model: &OllamaModel) -> Option<Value> {
    let mut listed = model.listed();
    listed["context_length"] = json!(model.loaded?);
    listed["size_vram"] = json!(7_214_512_128_u64);
    listed["expires_at"] = json!("2026-05-17T08:45:00.5+02:00");
    Some(listed)
}

fn find<'a>(models: &'a [OllamaModel], request: &Recorded) -> Result<&'a OllamaModel, Reply> {
    let name = request.json()["model"].as_str().unwrap_or_default().to_owned();
    let missing = || Reply::json(404, &json!({"error": format!("model '{name}' not found")}));
    models.iter().find(|model| model.name == name).ok_or_else(missing)
}

/// As the real one, it streams unless it is told not to, refuses tools a model cannot call, and takes only what it knows.
fn chat(model: &OllamaModel, request: &Recorded) -> Reply {
    let body = request.json();
    if body["tools"].is_array() && !model.capabilities.iter().any(|name| name == "tools") {
        return Reply::json(400, &json!({"error": format!("{} does not support tools", model.name)}));
    }
    if body["messages"].as_array().is_none_or(|messages| messages.iter().any(|message| !message["content"].is_string())) {
        return Reply::json(
            400,
            &json!({"error": "json: cannot unmarshal array into Go struct field ChatRequest.messages of type string"}),
        );
    }
    let words = ["hello", " from ", &model.name].map(|word| json!({"role": "assistant", "content": word}));
    let mut lines = FakeOllama::answer(&model.name, words);
    if body["stream"] == json!(false) {
        let mut whole = lines.pop().unwrap_or_default();
        whole["message"]["content"] = json!(format!("hello from {}", model.name));
        return Reply::json(200, &whole);
    }
    FakeOllama::lines(lines)
}

fn embed(model: &OllamaModel, request: &Recorded) -> Reply {
    let input = &request.json()["input"];
    let n_texts = input.as_array().map_or(1, Vec::len);
    Reply::json(
        200,
        &json!({"model": model.name, "embeddings": vec![[0.25, -1.5]; n_texts], "total_duration": 14_143_917, "load_duration": 1_019_500,
            "prompt_eval_count": 8 * n_texts}),
    )
}
