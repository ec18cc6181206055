"""Responses of servers of language models, as their documentation shows them, shortened; with the counts in them."""

from __future__ import annotations

from dataclasses import dataclass

from pilotfish.sidecar.analyzer.tokens.counts import TokenCounts

JSON, EVENTS, LINES = "application/json", "text/event-stream; charset=utf-8", "application/x-ndjson"


@dataclass(frozen=True)
class ServerResponse:
    """One response: whose, the path, its content type, its body, and the counts that are in it."""

    server: str
    path: str
    kind: str
    body: str
    counts: TokenCounts


RESPONSES = (
    ServerResponse(  # https://platform.openai.com/docs/api-reference/chat/object
        "OpenAI, vLLM, llama.cpp, Triton: chat",
        "/v1/chat/completions",
        JSON,
        """{"id":"chatcmpl-1","object":"chat.completion","created":1741569952,"model":"llama","choices":[{"index":0,
        "message":{"role":"assistant","content":"Say \\"usage\\": {\\"prompt_tokens\\": 9} aloud","refusal":null},
        "logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
        "prompt_tokens_details":{"cached_tokens":16,"audio_tokens":0},
        "completion_tokens_details":{"reasoning_tokens":4}},"service_tier":"default"}""",
        TokenCounts(19, 10, 16),
    ),
    ServerResponse(  # vLLM: details are null without --enable-prompt-tokens-details
        "vLLM: completions",
        "/openai/v1/completions?x=1",
        JSON,
        """{"id":"cmpl-1","object":"text_completion","choices":[{"index":0,"text":" city","prompt_logprobs":null}],
        "usage":{"prompt_tokens":4,"total_tokens":11,"completion_tokens":7,"prompt_tokens_details":null},
        "kv_transfer_params":null}""",
        TokenCounts(4, 7),
    ),
    ServerResponse(
        "vLLM: embeddings",
        "/v1/embeddings",
        JSON,
        """{"object":"list","data":[{"index":0,"object":"embedding","embedding":[0.1,-0.2]}],"model":"e5",
        "usage":{"prompt_tokens":8,"total_tokens":8,"completion_tokens":0,"prompt_tokens_details":null}}""",
        TokenCounts(8, 0),
    ),
    ServerResponse(
        "OpenAI: embeddings without a completion",
        "/v1/embeddings",
        JSON,
        '{"object":"list","data":[],"model":"e","usage":{"prompt_tokens":8,"total_tokens":8}}',
        TokenCounts(8, 0),
    ),
    ServerResponse(
        "vLLM, Jina: reranking",
        "/v1/rerank",
        JSON,
        '{"id":"rerank-1","model":"bge","usage":{"total_tokens":56},"results":[{"index":0,"relevance_score":0.99}]}',
        TokenCounts(56, 0),
    ),
    ServerResponse(  # with stream_options.include_usage
        "OpenAI, vLLM: chat stream",
        "/v1/chat/completions",
        EVENTS,
        'data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}],'
        '"usage":null}\n\n'
        'data: {"id":"c","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":5,"total_tokens":12,'
        '"completion_tokens":7}}\n\ndata: [DONE]\n\n',
        TokenCounts(5, 7),
    ),
    ServerResponse(  # with continuous_usage_stats
        "vLLM: counts in every event",
        "/v1/completions",
        EVENTS,
        "".join(
            f'data: {{"choices":[{{"text":"a"}}],"usage":{{"prompt_tokens":3,"total_tokens":{3 + n},'
            f'"completion_tokens":{n}}}}}\n\n'
            for n in range(1, 6)
        )
        + "data: [DONE]\n\n",
        TokenCounts(3, 5),
    ),
    ServerResponse(  # https://platform.openai.com/docs/api-reference/responses/object
        "OpenAI, vLLM: responses",
        "/v1/responses",
        JSON,
        """{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","content":[
        {"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0},
        "output_tokens":87,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":123},"metadata":{}}""",
        TokenCounts(36, 87, 0),
    ),
    ServerResponse(
        "OpenAI: stream of responses",
        "/v1/responses",
        EVENTS,
        'event: response.created\ndata: {"type":"response.created","response":{"id":"resp_1","usage":null}}\n\n'
        'event: response.completed\ndata: {"type":"response.completed","response":{"id":"resp_1","output":[],'
        '"usage":{"input_tokens":37,"output_tokens":11,"output_tokens_details":{"reasoning_tokens":0},'
        '"total_tokens":48}}}\n\n',
        TokenCounts(37, 11),
    ),
    ServerResponse(  # https://platform.claude.com/docs/en/api/messages
        "Anthropic, vLLM, llama.cpp: messages",
        "/v1/messages",
        JSON,
        """{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"Hi!"}],
        "stop_reason":"end_turn","usage":{"input_tokens":21,"cache_creation_input_tokens":188,
        "cache_read_input_tokens":100,"output_tokens":393}}""",
        TokenCounts(309, 393, 100),
    ),
    ServerResponse(  # https://platform.claude.com/docs/en/build-with-claude/streaming
        "Anthropic: stream of messages",
        "/v1/messages",
        EVENTS,
        'event: message_start\ndata: {"type": "message_start", "message": {"id": "msg_1", "type": "message",'
        ' "content": [], "stop_reason": null, "usage": {"input_tokens": 25, "output_tokens": 1}}}\n\n'
        'event: ping\ndata: {"type": "ping"}\n\n'
        'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"type": "text_delta",'
        ' "text": "!"}}\n\n'
        'event: message_delta\ndata: {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage":'
        ' {"output_tokens": 15}}\n\nevent: message_stop\ndata: {"type": "message_stop"}\n\n',
        TokenCounts(25, 15),
    ),
    ServerResponse(  # https://huggingface.co/docs/text-generation-inference
        "TGI: generate",
        "/generate",
        JSON,
        """{"generated_text":" learning","details":{"finish_reason":"length","generated_tokens":2,"seed":null,
        "prefill":[{"id":1,"text":"Deep","logprob":null},{"id":2,"text":" is","logprob":-3.1}],
        "tokens":[{"id":3,"text":" learning","logprob":-0.4,"special":false}]}}""",
        TokenCounts(2, 2),
    ),
    ServerResponse(
        "TGI: stream",
        "/generate_stream",
        EVENTS,
        'data:{"index":1,"token":{"id":5,"text":"Hi","logprob":-1.1,"special":false},'
        '"generated_text":null,"details":null}\n\n'
        'data:{"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":"Hi",'
        '"details":{"finish_reason":"eos_token","generated_tokens":2,"input_length":17,"seed":null}}\n\n',
        TokenCounts(17, 2),
    ),
    ServerResponse(  # https://docs.sglang.io/basic_usage/native_api.html
        "SGLang: generate",
        "/generate",
        JSON,
        """{"text":" Paris","output_ids":[1,2],"meta_info":{"id":"a","finish_reason":{"type":"length","length":128},
        "prompt_tokens":7,"weight_version":"default","completion_tokens":128,"cached_tokens":1,"e2e_latency":1.2}}""",
        TokenCounts(7, 128, 1),
    ),
    ServerResponse(
        "SGLang: a batch",
        "/generate",
        JSON,
        '[{"text":"a","meta_info":{"prompt_tokens":7,"completion_tokens":10,"cached_tokens":1}},'
        '{"text":"b","meta_info":{"prompt_tokens":5,"completion_tokens":12,"cached_tokens":0}}]',
        TokenCounts(12, 22, 1),
    ),
    ServerResponse(  # https://docs.ollama.com/api
        "Ollama: generate",
        "/api/generate",
        JSON,
        """{"model":"gemma3","created_at":"2025-10-17T23:14:07.414671Z","response":"Hello! {}","done":true,
        "done_reason":"stop","context":[1,2,3],"total_duration":174560334,"load_duration":101397084,
        "prompt_eval_count":11,"prompt_eval_duration":13074791,"eval_count":18,"eval_duration":52479709}""",
        TokenCounts(11, 18),
    ),
    ServerResponse(
        "Ollama: chat stream",
        "/api/chat",
        LINES,
        '{"model":"llama3.2","message":{"role":"assistant","content":"The"},"done":false}\n'
        '{"model":"llama3.2","message":{"role":"assistant","content":""},"done":true,"prompt_eval_count":26,'
        '"eval_count":282}\n',
        TokenCounts(26, 282),
    ),
    ServerResponse(
        "Ollama: embeddings",
        "/api/embed",
        JSON,
        '{"model":"all-minilm","embeddings":[[0.01,-0.001]],"total_duration":14143917,"prompt_eval_count":8}',
        TokenCounts(8, 0),
    ),
    ServerResponse(  # tools/server/README.md of llama.cpp
        "llama.cpp: completion",
        "/completion",
        JSON,
        """{"index":0,"content":" x","tokens":[],"id_slot":0,"stop":true,"model":"m","tokens_predicted":12,
        "tokens_evaluated":30,"generation_settings":{"n_predict":12},"tokens_cached":41,
        "timings":{"cache_n":20,"prompt_n":10,"prompt_ms":3.1,"predicted_n":12}}""",
        TokenCounts(30, 12, 20),
    ),
    ServerResponse(  # as llama.cpp of October 2026 sent it
        "llama.cpp: chat stream of a client that does not ask for usage",
        "/v1/chat/completions",
        EVENTS,
        'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],'
        '"created":1795975917,"id":"chatcmpl-V3m","model":"tiny.gguf","object":"chat.completion.chunk"}\n\n'
        'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" was"}}],"created":1795975917,'
        '"id":"chatcmpl-V3m","model":"tiny.gguf","object":"chat.completion.chunk"}\n\n'
        'data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795975917,"id":"chatcmpl-V3m",'
        '"model":"tiny.gguf","object":"chat.completion.chunk","timings":{"cache_n":27,"prompt_n":1,"prompt_ms":0.959,'
        '"prompt_per_token_ms":0.959,"predicted_n":4,"predicted_ms":1.394}}\n\ndata: [DONE]\n\n',
        TokenCounts(28, 4, 27),
    ),
)

_ANSWER = '{"choices":[%s],"model":"tiny.gguf","object":"chat.completion","usage":%s,"timings":%s}'
_CHOICE = '{"finish_reason":"length","index":%d,"message":{"role":"assistant","content":" was what in to"}}'
_TOLD = '{"completion_tokens":4,"prompt_tokens":28,"total_tokens":32,"prompt_tokens_details":{"cached_tokens":14}}'
_TIMED = '{"cache_n":14,"prompt_n":14,"prompt_ms":0.861,"predicted_n":4,"predicted_ms":1.353}'
_PIECE = 'data: {"choices":[{"finish_reason":null,"index":%d,"delta":{"content":" was"}}],"model":"tiny.gguf"}\n\n'
_LAST = 'data: {"choices":[{"finish_reason":"length","index":%d,"delta":{}}],"timings":%s}\n\n'
_PROMPT = 'data: {"choices":[{"text":"","index":%d,"finish_reason":"length"}],"usage":%s,"timings":%s}\n\n'
# of several prompts or choices, as llama.cpp of October 2026 sent them: all counts are those of one of them
OF_ONE_CHOICE = {
    "whole": ("/v1/chat/completions", JSON, _ANSWER % (f"{_CHOICE % 0},{_CHOICE % 1}", _TOLD, _TIMED)),
    "stream": (
        "/v1/chat/completions",
        EVENTS,
        f'{_PIECE % 1}{_PIECE % 0}data: {{"choices":[],"usage":{_TOLD},"timings":{_TIMED}}}\n\ndata: [DONE]\n\n',
    ),
    "stream without usage": (
        "/v1/chat/completions",
        EVENTS,
        f"{_PIECE % 1}{_PIECE % 0}{_LAST % (1, _TIMED)}{_LAST % (0, _TIMED)}data: [DONE]\n\n",
    ),
    "prompts in a stream": (
        "/v1/completions",
        EVENTS,
        f"data: null\n\n{_PROMPT % (0, _TOLD, _TIMED)}{_PROMPT % (1, _TOLD, _TIMED)}",
    ),
    "own API, prompts in a stream": (
        "/completion",
        EVENTS,
        "".join(
            f'data: {{"index":{index},"content":"","stop":true,"tokens_predicted":4,"tokens_evaluated":28,'
            f'"timings":{_TIMED}}}\n\n'
            for index in range(2)
        ),
    ),
}
