//! Requests as five kinds of coding clients, a completion engine and a script would send them.

use bytes::Bytes;
use serde_json::{Value, json};
use vox_wire::{Chat, Dialect, Endpoint};

/// One hand-labelled request.
pub(super) struct Case {
    pub(super) label: String,
    pub(super) client: String,
    flags: Vec<(String, String)>,
    text: String,
}

const DATA_URL: &str = "data:image/png;base64,iVBORw0KGgo=";

/// Reads `label | client | flags | text` lines.
pub(super) fn read(corpus: &str) -> Vec<Case> {
    let case = |line: &str| {
        let [label, client, flags, text] = line.splitn(4, '|').map(str::trim).collect::<Vec<_>>().try_into().unwrap();
        let flags: &str = flags;
        let flags = flags
            .split(',')
            .filter(|flag| !flag.is_empty())
            .map(|flag| flag.split_once('=').unwrap_or((flag, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text: &str = text;
        Case { label: label.to_owned(), client: client.to_owned(), flags: flags.collect(), text: text.replace("\\n", "\n") }
    };
    corpus.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(case).collect()
}

impl Case {
    pub(super) fn new(client: &str, text: &str) -> Self {
        Self { label: String::new(), client: client.to_owned(), flags: Vec::new(), text: text.to_owned() }
    }

    fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    fn background(&self) -> Option<&str> {
        self.flag("bg").filter(|kind| *kind != "agent")
    }

    /// Returns whether the client asks this on its own account, and nobody waits for wisdom.
    pub(super) fn is_background(&self) -> bool {
        self.background().is_some()
    }

    pub(super) fn shown(&self) -> String {
        format!("{} {:?} {:?}", self.client, self.flags, self.text.chars().take(90).collect::<String>())
    }

    /// Returns the words of the text, in small letters.
    pub(super) fn words(&self) -> impl Iterator<Item = String> {
        self.text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 3).map(str::to_lowercase)
    }

    /// Returns the same request with nothing said in it.
    pub(super) fn silent(&self) -> Self {
        Self { label: self.label.clone(), client: self.client.clone(), flags: self.flags.clone(), text: String::new() }
    }

    /// Returns the request of a terminal agent that declares this many tools.
    pub(super) fn declaring(&self, n_tools: usize, n_turns: usize) -> Chat {
        let names: Vec<String> = (0..n_tools).map(|at| format!("tool_{at}")).collect();
        let mut body = self.with_parameters(Dialect::Anthropic, self.terminal(n_turns));
        body["tools"] = tools(&names.iter().map(String::as_str).collect::<Vec<_>>());
        Chat::parse(Dialect::Anthropic, Endpoint::Chat, Bytes::from(body.to_string())).unwrap()
    }

    fn n_turns(&self) -> usize {
        self.flag("loop").map_or(0, |n| n.parse().unwrap())
    }

    pub(super) fn chat(&self) -> Chat {
        self.after(self.n_turns())
    }

    /// Returns the request after this many calls of tools.
    pub(super) fn after(&self, n_turns: usize) -> Chat {
        let (dialect, body) = match self.client.as_str() {
            "terminal" => (Dialect::Anthropic, self.terminal(n_turns)),
            "boxed" => (Dialect::Anthropic, self.boxed(n_turns)),
            "codex" => (Dialect::Openai, self.codex(n_turns)),
            "aider" => (Dialect::Openai, self.aider()),
            "panel" => (Dialect::Openai, self.panel()),
            "complete" => (Dialect::Openai, self.complete()),
            "script" => (Dialect::Openai, json!({"model": "", "messages": [{"role": "user", "content": self.text}]})),
            other => panic!("no client is called {other}"),
        };
        let body = self.with_parameters(dialect, body);
        Chat::parse(dialect, Endpoint::Chat, Bytes::from(body.to_string())).unwrap()
    }

    fn with_parameters(&self, dialect: Dialect, mut body: Value) -> Value {
        body["model"] = "vox/auto".into();
        if let Some(max) = self.flag("max") {
            body["max_tokens"] = max.parse::<u64>().unwrap().into();
        } else if dialect == Dialect::Anthropic {
            body["max_tokens"] = 32_000.into();
        }
        if self.flag("json").is_some() {
            body["response_format"] = json!({"type": "json_object"});
        }
        if self.flag("search").is_some() {
            body["web_search_options"] = json!({});
        }
        body
    }

    /// A terminal agent of the Anthropic dialect: blocks, reminders of its own, many tools.
    fn terminal(&self, n_turns: usize) -> Value {
        if let Some(kind) = self.background() {
            let system = match kind {
                "title" => "Write a short title for the coding session that begins with the user's message. Answer with the title only.",
                "topic" => "Decide whether the message opens a new topic. If so, give it a name of two or three words, as JSON.",
                "prefix" => "You are given a shell command. Reply with the command prefix that an allow list would hold, or `none`.",
                _ => "",
            };
            return json!({"system": [{"type": "text", "text": system}], "messages": [{"role": "user", "content": self.text}]});
        }
        let agent = "You are a worker agent. The main agent reads nothing but your last message, so put the result there and be brief.";
        let own = "You work in a terminal beside a developer. Use the tools to read and change files, run commands and tests. Never commit unless told to. Prefer small edits. Follow the conventions of the repository, write no comments that repeat the code, and verify what you changed.";
        let system = if self.flag("bg").is_some() { agent } else { own };
        let reminder = "<system-reminder>\nThe todo list is empty. Plan mode is off. Please fix errors that the linter reports and add tests where they are missing.\n</system-reminder>";
        let mut content = vec![json!({"type": "text", "text": reminder})];
        if self.flag("image").is_some() {
            content.push(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}));
        }
        content.push(json!({"type": "text", "text": self.text, "cache_control": {"type": "ephemeral"}}));
        let mut messages = vec![json!({"role": "user", "content": content})];
        for turn in 0..n_turns {
            let tool = ["Read", "Edit", "Bash"][turn % 3];
            messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": format!("t{turn}"), "name": tool, "input": {"at": turn}}]}));
            messages.push(json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": format!("t{turn}"), "content": "fn main() { review_plan(); } // fix this bug, write tests"},
                {"type": "text", "text": "<system-reminder>remember to research first</system-reminder>"}]}));
        }
        json!({"system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}], "messages": messages,
               "tools": tools(["Read", "Edit", "Write", "Bash", "Grep", "Glob", "WebFetch", "WebSearch", "Task", "TodoWrite"].as_slice()),
               "metadata": {"user_id": "user_1_account__session_2"}})
    }

    /// An editor's agent that wraps the task in tags and adds the state of the editor.
    fn boxed(&self, n_turns: usize) -> Value {
        if let Some(kind) = self.background() {
            assert_eq!(kind, "title");
            return json!({"system": "You are a title generator for tasks in an editor.", "messages": [{"role": "user", "content": self.text}]});
        }
        let own = "You are an engineer inside an editor. One tool per step; wait for its result. When you are done, say so with the finishing tool. Rules: do not ask more than needed, keep the style of the project, explain a failed test before you change it.";
        let agent = "You are a subagent of an editor's agent. Do only what is asked.";
        let mut content = vec![
            json!({"type": "text", "text": format!("<task>\n{}\n</task>", self.text)}),
            json!({"type": "text", "text": "<environment_details>\n# Open tabs\nsrc/debug/crash.ts, tests/plan.test.ts\n# Mode\ncode review\n</environment_details>"}),
        ];
        if self.flag("image").is_some() {
            content.push(json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}));
        }
        let mut messages = vec![json!({"role": "user", "content": content})];
        for turn in 0..n_turns {
            let name = if turn % 2 == 0 { "read_file" } else { "write_to_file" };
            messages.push(json!({"role": "assistant", "content": [{"type": "text", "text": "I read it."}, {"type": "tool_use", "id": format!("b{turn}"), "name": name, "input": {}}]}));
            messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("b{turn}"), "content": [{"type": "text", "text": "ok"}], "is_error": turn % 4 == 3}]}));
        }
        json!({"system": if self.flag("bg").is_some() { agent } else { own }, "messages": messages,
               "tools": tools(["read_file", "write_to_file", "execute_command", "search_files", "list_files", "attempt_completion"].as_slice())})
    }

    /// A terminal agent of the OpenAI dialect: a developer message, the environment as a message of its own, few tools.
    fn codex(&self, n_turns: usize) -> Value {
        if let Some(kind) = self.background() {
            let system = match kind {
                "title" => "You name threads. Generate a title of at most six words for the thread that starts like this.",
                _ => "Give a git branch name for the work described, in kebab case. Nothing else.",
            };
            return json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": self.text}]});
        }
        let own = "You are an agent that edits a repository through a shell. Read before you write. Keep changes minimal. Run what proves the change. Do not create branches.";
        let agent = "You are one of several workers; a task was delegated to you by a coordinating process.";
        let mut messages = vec![
            json!({"role": "developer", "content": if self.flag("bg").is_some() { agent } else { own }}),
            json!({"role": "user", "content": "<environment_context>\ncwd /work/review\nshell bash\napproval on failure\n</environment_context>"}),
            json!({"role": "user", "content": self.openai_content()}),
        ];
        for turn in 0..n_turns {
            let name = if turn % 3 == 2 { "apply_patch" } else { "shell" };
            messages.push(json!({"role": "assistant", "content": null, "tool_calls": [{"id": format!("c{turn}"), "type": "function", "function": {"name": name, "arguments": "{\"command\":[\"rg\",\"bug\"]}"}}]}));
            messages.push(json!({"role": "tool", "tool_call_id": format!("c{turn}"), "content": "error: tests failed, review the plan"}));
        }
        json!({"messages": messages, "tools": openai_tools(["shell", "apply_patch", "update_plan", "view_image"].as_slice()), "stream": true})
    }

    /// A pair programmer without tools: the system text tells how edits are written, files come as earlier messages.
    fn aider(&self) -> Value {
        if self.is_background() {
            let system = "You write one-line commit messages in the imperative for the diff you are shown.";
            return json!({"messages": [{"role": "system", "content": system}, {"role": "user", "content": self.text}]});
        }
        let system = "Act as a careful programmer. Answer with SEARCH/REPLACE blocks for every change, each with the full path of its file. Only change files that were added to the chat.";
        json!({"messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": "These files are in the chat:\napp.py\n```python\nimport web\n```"},
            {"role": "assistant", "content": "Fine, I will propose changes to them only."},
            {"role": "user", "content": self.openai_content()}], "stream": true})
    }

    /// A chat panel beside the code.
    fn panel(&self) -> Value {
        let asked = |task: &str| json!({"messages": [{"role": "user", "content": format!("{task}\n<chat_history>\nuser: {}\nassistant: Sure.\n</chat_history>", self.text)}]});
        match self.background() {
            Some("title") => asked("Task: write a title for this chat in three to five words."),
            Some("follow") => asked("Suggest three follow-up questions the user might ask next, as a JSON list."),
            Some("tags") => asked("Find one to three tags for this conversation."),
            _ => json!({"messages": [
                {"role": "system", "content": "You are a helpful programming assistant. Use fenced code with the language's name."},
                {"role": "user", "content": self.openai_content()}], "temperature": 0.2}),
        }
    }

    fn complete(&self) -> Value {
        json!({"messages": [{"role": "system", "content": "Continue the code at the cursor. Output code only."}, {"role": "user", "content": self.text}]})
    }

    fn openai_content(&self) -> Value {
        match self.flag("image") {
            Some(_) => json!([{"type": "text", "text": self.text}, {"type": "image_url", "image_url": {"url": DATA_URL}}]),
            None => self.text.clone().into(),
        }
    }
}

fn tools(names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| json!({"name": name, "description": "review, plan, fix bugs and write tests", "input_schema": {"type": "object"}}))
        .collect()
}

fn openai_tools(names: &[&str]) -> Value {
    names.iter().map(|name| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})).collect()
}
