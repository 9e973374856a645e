"""Diffusion models of diffusers as generators: tiny ones with random weights, written and read again; nothing is downloaded."""

import inspect
import json
import math
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from torch import nn

import gevaldi
from gevaldi.contract import check_contract, on_device
from gevaldi.errors import DataError, GevaldiError, MissingExtra, SpecError, WeightsError
from gevaldi.generators import load_generator
from gevaldi.generators._prompts import prompts_of

KINDS = ["consistency", "turbo", "xl", "latent"]
WNIDS = ("n01530575", "n01443537", "n02012849")
WORDS = ["a", "photo", "of", "dog", "cat", "fish", "<|startoftext|>", "<|endoftext|>"]
BLOCKS = {"sample_size": 8, "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}
slow = pytest.mark.slow  # because diffusers is imported


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where a pipeline of each kind lies, with the prompts of all that read them."""
    folder = tmp_path_factory.mktemp("diffusion")
    (folder / "prompts.txt").write_text("n01530575\ta photo of a dog\n\nfish\ta fish\na cat\n")
    torch.manual_seed(0)
    for kind in KINDS:
        lively(pipeline(kind, folder)).save_pretrained(folder / kind)
    return {kind: folder / kind for kind in KINDS}


def pipeline(kind: str, folder: Path) -> Any:
    import diffusers

    if kind == "consistency":
        ways = {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}
        unet = diffusers.UNet2DModel(**BLOCKS, **ways, attention_head_dim=8, num_class_embeds=3)
        return diffusers.ConsistencyModelPipeline(unet, diffusers.CMStochasticIterativeScheduler())
    text = {key: maker(folder) for key, maker in {"tokenizer": tokenizer, "text_encoder": text_encoder}.items()}
    unchecked = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if kind == "turbo":
        scheduler = diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="trailing", steps_offset=1)
        return diffusers.StableDiffusionPipeline(autoencoder(), unet=text_unet(), scheduler=scheduler, **text, **unchecked)
    if kind == "xl":
        more = {"tokenizer_2": tokenizer(folder), "text_encoder_2": text_encoder(folder, pooled=True)}
        added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4, "projection_class_embeddings_input_dim": 40}
        scheduler = diffusers.EulerAncestralDiscreteScheduler(timestep_spacing="trailing", steps_offset=1)
        unet = text_unet(cross_attention_dim=32, **added)
        return diffusers.StableDiffusionXLPipeline(autoencoder(), unet=unet, scheduler=scheduler, **text, **more)
    unet = text_unet(time_cond_proj_dim=8)
    tiny = diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    )
    return diffusers.LatentConsistencyModelPipeline(tiny, unet=unet, scheduler=diffusers.LCMScheduler(), **text, **unchecked)


def text_unet(cross_attention_dim: int = 16, **options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    ways = {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": cross_attention_dim,
        "attention_head_dim": 4,
    }
    return UNet2DConditionModel(**BLOCKS, **ways, **options)


def autoencoder() -> Any:
    from diffusers import AutoencoderKL

    ways = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, sample_size=16, **ways)


def tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz"
    known = dict.fromkeys([*letters, *(letter + "</w>" for letter in letters), *WORDS])
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(known)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=20)


def text_encoder(folder: Path, pooled: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 16}
    config = CLIPTextConfig(vocab_size=80, max_position_embeddings=20, eos_token_id=59, bos_token_id=58, **sizes)
    return (CLIPTextModelWithProjection if pooled else CLIPTextModel)(config)


def lively(pipe: Any) -> Any:
    """Random weights, so that what the network says shows in the picture."""
    for part in pipe.components.values():
        if isinstance(part, nn.Module):
            for parameter in part.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return pipe


def named(folders: dict[str, Path], kind: str, more: str = "") -> str:
    prompts = "" if kind == "consistency" else f",prompts={folders[kind].parent / 'prompts.txt'}"
    return f"diffusers:{folders[kind]}{prompts}{more}"


def drawn(generator: gevaldi.Generator, count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return generator.prior.sample(range(count)).requires_grad_(), torch.arange(count) % 3


def their_arguments(kind: str, condition: torch.Tensor) -> dict[str, Any]:
    """What a user would call the pipeline with for these conditions."""
    if kind == "consistency":
        return {"batch_size": len(condition), "class_labels": condition.tolist()}
    prompts = [["a photo of a dog", "a fish", "a cat"][i] for i in condition.tolist()]
    return {"prompt": prompts, "guidance_scale": 8.5 if kind == "latent" else 0.0}


@slow
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_the_plain_pipeline_with_the_same_latents(folders: dict[str, Path], kind: str, steps: int) -> None:
    from diffusers import DiffusionPipeline

    found = load_generator(named(folders, kind, f",steps={steps}"))
    z, condition = drawn(found)
    plain = DiffusionPipeline.from_pretrained(folders[kind])
    noise = [torch.Generator().manual_seed(0) for _ in z]
    call = {"latents": z.detach(), "num_inference_steps": steps, "generator": noise, "output_type": "pt"}
    expected = plain(**call, **their_arguments(kind, condition)).images
    pictures = found(z, condition)
    assert torch.allclose(pictures, expected, atol=1e-6)
    assert pictures.requires_grad
    assert pictures.std() > 0.05


@slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_latent_is_the_noise_that_the_pipeline_itself_would_draw(folders: dict[str, Path], kind: str) -> None:
    from diffusers import DiffusionPipeline

    found = load_generator(named(folders, kind, ",steps=1"))
    z, condition = torch.randn(1, *found.prior.shape, generator=torch.Generator().manual_seed(5)), torch.tensor([1])
    call = {"num_inference_steps": 1, "generator": torch.Generator().manual_seed(5), "output_type": "pt"}
    expected = DiffusionPipeline.from_pretrained(folders[kind])(**call, **their_arguments(kind, condition)).images
    assert torch.allclose(found(z, condition), expected, atol=1e-6)


@slow
@pytest.mark.parametrize("kind", ["turbo", "xl"])
def test_guidance_above_one_is_that_of_the_plain_pipeline(folders: dict[str, Path], kind: str) -> None:
    from diffusers import DiffusionPipeline

    found = load_generator(named(folders, kind, ",guidance=3"))
    z, condition = drawn(found)
    call = {"latents": z.detach(), "num_inference_steps": 1, "output_type": "pt"}
    arguments = their_arguments(kind, condition) | {"guidance_scale": 3.0}
    expected = DiffusionPipeline.from_pretrained(folders[kind])(**call, **arguments).images
    assert torch.allclose(found(z, condition), expected, atol=1e-6)
    assert not torch.allclose(found(z, condition), load_generator(named(folders, kind))(z, condition), atol=1e-2)


@slow
def test_one_step_of_consistency_is_the_papers_formula_and_so_is_its_gradient(folders: dict[str, Path]) -> None:
    found = load_generator(named(folders, "consistency")).double()
    unet, sigma, least, data = found.parts["unet"], 80.0, 0.002, 0.5
    z, condition = drawn(found)
    z = z.detach().double().requires_grad_()
    skip = data**2 / ((sigma - least) ** 2 + data**2)
    out = (sigma - least) * data / math.sqrt(sigma**2 + data**2)
    scaled = z * sigma / math.sqrt(sigma**2 + data**2)
    said = unet(scaled, torch.tensor(250 * math.log(sigma), dtype=torch.float64), class_labels=condition).sample
    by_hand = ((out * said + skip * sigma * z).clamp(-1, 1) / 2 + 0.5).clamp(0, 1)
    pictures = found(z, condition)
    assert torch.allclose(pictures, by_hand, atol=1e-6)
    (expected,) = torch.autograd.grad(by_hand.square().sum(), z)
    (gradient,) = torch.autograd.grad(pictures.square().sum(), z)
    assert torch.allclose(gradient, expected, rtol=1e-4, atol=1e-6)
    assert (gradient != 0).any()


@slow
def test_one_step_of_turbo_is_that_of_euler_and_so_is_its_gradient(folders: dict[str, Path]) -> None:
    found = load_generator(named(folders, "turbo"))
    z, condition = drawn(found)
    parts, scheduler = found.parts, found.pipeline.scheduler
    with torch.no_grad():
        tokens = found.pipeline.tokenizer(their_arguments("turbo", condition)["prompt"], padding="max_length", return_tensors="pt")
        text = parts["text_encoder"](tokens.input_ids)[0]
    scheduler.set_timesteps(1)
    sigma = scheduler.sigmas[0]
    said = parts["unet"](z * sigma / (sigma**2 + 1).sqrt(), scheduler.timesteps[0], encoder_hidden_states=text).sample
    by_hand = (parts["vae"].decode((z * sigma - sigma * said) / parts["vae"].config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)
    pictures = found(z, condition)
    assert torch.allclose(pictures, by_hand, atol=1e-4)
    (expected,) = torch.autograd.grad(by_hand.square().sum(), z)
    (gradient,) = torch.autograd.grad(pictures.square().sum(), z)
    assert (gradient - expected).norm() < 1e-3 * expected.norm()
    assert (gradient != 0).any()


@slow
@pytest.mark.parametrize("steps", [1, 3])
def test_the_gradient_is_that_of_finite_differences(folders: dict[str, Path], steps: int) -> None:
    found = load_generator(named(folders, "consistency", f",steps={steps}")).double()
    z, condition = drawn(found, 1)
    z = z.detach().double().requires_grad_()

    def value(z: torch.Tensor) -> torch.Tensor:
        return found(z, condition).square().sum()

    (gradient,) = torch.autograd.grad(value(z), z)
    way = torch.randn(z.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        slope = (value(z + 1e-6 * way) - value(z - 1e-6 * way)) / 2e-6
    assert torch.allclose((gradient * way).sum(), slope, rtol=1e-4)
    assert slope.abs() > 1e-4


@slow
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_equals_its_members_alone_in_any_order(folders: dict[str, Path], kind: str, steps: int) -> None:
    found = load_generator(named(folders, kind, f",steps={steps}"))
    z, condition = drawn(found, 4)
    with torch.no_grad():
        together = found(z, condition)
        alone = torch.cat([found(z[i : i + 1], condition[i : i + 1]) for i in (0, 1, 2, 3)])
        turned = found(z.flip(0), condition.flip(0)).flip(0)
    assert torch.allclose(together, alone, atol=1e-5)
    assert torch.allclose(together, turned, atol=1e-5)


@slow
@pytest.mark.parametrize("kind", KINDS)
def test_checkpointing_computes_twice_and_changes_neither_pictures_nor_gradients(folders: dict[str, Path], kind: str) -> None:
    seen: dict[str, Any] = {}
    for checkpointing in ("true", "false"):
        found = load_generator(named(folders, kind, f",steps=2,checkpointing={checkpointing}"))
        runs: list[int] = []
        found.parts["unet"].mid_block.resnets[-1].register_forward_pre_hook(lambda *_, runs=runs: runs.append(1))
        z, condition = drawn(found)
        pictures = found(z, condition)
        (gradient,) = torch.autograd.grad(pictures.square().sum(), z)
        seen[checkpointing] = pictures, gradient, len(runs)
    assert torch.equal(seen["true"][0], seen["false"][0])
    assert torch.allclose(seen["true"][1], seen["false"][1], atol=1e-6)
    assert (seen["true"][2], seen["false"][2]) == (4, 2)


@slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_contract_holds_in_both_precisions_and_weights_are_given_back(
    folders: dict[str, Path], kind: str, dtype: torch.dtype
) -> None:
    found = load_generator(named(folders, kind, ",steps=2"))
    size = found(*drawn(found, 1)).shape[1:].numel()
    before = {key: value.clone() for key, value in found.state_dict().items()}
    first, second = small(0, size), small(1, size)
    with on_device(first, second, found, device=torch.device("cpu"), dtype=dtype):
        assert check_contract(first, second, found, torch.device("cpu"), dtype) == []
    assert all(torch.equal(value, before[key]) for key, value in found.state_dict().items())
    assert found(*drawn(found)).dtype == torch.float32


def small(seed: int, size: int) -> gevaldi.Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(size, 3))
    return gevaldi.classifier(net, labels=[gevaldi.Label(wnid, wnid) for wnid in WNIDS]).eval()


@slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_pipeline_runs_on_the_device_that_its_generator_is_moved_to(folders: dict[str, Path], kind: str) -> None:
    found = load_generator(named(folders, kind, ",steps=2"))
    z, condition = drawn(found)
    shape = found(z, condition).shape
    found.to("meta")
    assert found.pipeline._execution_device.type == "meta"
    if kind == "consistency":  # other schedulers look for their place on the device, which this stand-in for one cannot
        pictures = found(z.to("meta"), condition.to("meta"))
        assert (pictures.device.type, pictures.shape) == ("meta", shape)


@slow
def test_half_precision_takes_and_gives_the_precision_of_the_latent(folders: dict[str, Path]) -> None:
    for kind in ("consistency", "turbo"):
        found = load_generator(named(folders, kind, ",dtype=bfloat16"))
        z, condition = drawn(found)
        pictures = found(z, condition)
        assert {p.dtype for p in found.parameters()} == {torch.bfloat16}
        assert pictures.dtype == torch.float32
        assert torch.autograd.grad(pictures.sum(), z)[0].dtype == torch.float32
        assert (pictures - load_generator(named(folders, kind))(z, condition)).abs().mean() < 0.1
    with pytest.raises(SpecError, match="overflows in float16"):
        load_generator(named(folders, "xl", ",dtype=float16"))


@slow
@pytest.mark.parametrize("enabled", [True, False])
def test_loading_leaves_gradients_and_chance_as_they_were(folders: dict[str, Path], enabled: bool) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    with torch.set_grad_enabled(enabled):
        found = load_generator(named(folders, "turbo"))
        assert torch.is_grad_enabled() == enabled
        found(*drawn(found))
        assert torch.is_grad_enabled() == enabled
    assert torch.equal(torch.rand(1), expected)
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert not any(part.training for part in found.modules())


@slow
def test_conditions_are_classes_or_prompts_with_what_they_mean(folders: dict[str, Path]) -> None:
    assert [label.name for label in load_generator(named(folders, "consistency")).conditions] == ["0", "1", "2"]
    found = load_generator(named(folders, "turbo"))
    assert [(label.name, label.id) for label in found.conditions] == [("brambling", WNIDS[0]), ("fish", None), ("a cat", None)]
    assert found.name == "turbo"
    assert found.note == "StableDiffusionPipeline, steps 1, guidance 0, computed in float32"
    usual = load_generator(f"diffusers:{folders['latent']}")
    assert len(usual.conditions) == 1000
    assert usual.arguments.prompts[10] == "a photo of a brambling"
    assert usual.steps == 4
    z = drawn(usual, 2)[0]
    assert not torch.allclose(*usual(z[:1].expand(2, -1, -1, -1), torch.tensor([10, 11])))


@slow
def test_a_prompt_is_encoded_once(folders: dict[str, Path]) -> None:
    found = load_generator(named(folders, "turbo"))
    runs: list[int] = []
    found.parts["text_encoder"].register_forward_hook(lambda *_: runs.append(1))
    z, _ = drawn(found)
    for _ in range(2):
        found(z, torch.tensor([1, 1, 2]))
    assert len(runs) == 2


@slow
def test_a_thousand_classes_are_those_of_ilsvrc_and_none_is_no_condition() -> None:
    from types import SimpleNamespace

    from gevaldi.generators.diffusers import _by_classes

    def conditions(count: int | None) -> Any:
        return _by_classes(SimpleNamespace(unet=SimpleNamespace(config=SimpleNamespace(num_class_embeds=count))))[0]

    assert conditions(1000)[10] == gevaldi.Label("brambling", WNIDS[0])
    assert conditions(None) == ()


@slow
def test_two_classifiers_are_compared_on_its_pictures(folders: dict[str, Path], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"samples": 2, "steps": 2, "batch_size": 2, "device": "cpu", "orders": "forward", "audited": 4}
    settings["goal"] = "most divergent"
    size = 3 * 16 * 16
    done = gevaldi.compare(small(0, size), small(1, size), named(folders, "turbo"), out=tmp_path / "run", **settings)
    rows = done.rows().to_dict("records")
    assert not any(row["status"] == "failed" for row in rows)
    assert all(row["divergence_end"] > row["divergence_start"] for row in rows)
    assert done.run.record["models"]["generator"]["name"] == "turbo"
    assert done.report().exists()


@slow
def test_pipelines_of_other_kinds_and_options_of_others_are_refused_by_name(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionInpaintPipeline"}')
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "model_index.json").write_text((folders["consistency"] / "model_index.json").read_text())
    for name, kind, words in (
        (f"diffusers:{tmp_path}", SpecError, "is a StableDiffusionInpaintPipeline.*ConsistencyModelPipeline, Latent"),
        (f"diffusers:{tmp_path / 'empty'}", WeightsError, r"not at hand: .*model_index\.json"),
        (f"diffusers:{tmp_path / 'bare'}", WeightsError, "not at hand"),
        (f"diffusers:{folders['consistency']},guidance=2", SpecError, "reads no prompts; it takes no guidance"),
        (f"diffusers:{folders['consistency']},prompts=a {{}}", SpecError, "it takes no prompts"),
    ):
        with pytest.raises(kind, match=words):
            load_generator(name)


@slow
def test_without_a_network_the_answer_comes_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def unreachable(*args: Any, **kwargs: Any) -> Any:
        raise URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", unreachable)
    import diffusers  # noqa: F401

    begin = time.perf_counter()
    with pytest.raises(WeightsError, match=r"diffusers:nobody/nothing is not at hand: .*Name or service.*local folder"):
        load_generator("diffusers:nobody/nothing")
    assert time.perf_counter() - begin < 5
    said = capsys.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if line.startswith("gevaldi:")] == [
        "gevaldi: fetching diffusers:nobody/nothing from the Hugging Face hub; to do without a network, name a local folder"
    ]
    with pytest.raises(WeightsError, match="not at hand"):
        load_generator("diffusers:no/such/folder")
    assert "fetching" not in capsys.readouterr().err


def test_a_missing_package_is_answered_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from gevaldi.generators.diffusers import _Pipeline

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"gevaldi\[diffusers\]"):
        load_generator("diffusers:stabilityai/sd-turbo")
    with pytest.raises(MissingExtra, match=r"gevaldi\[transformers\]"):
        _Pipeline("x", "x", "float32", None, ())._kind("StableDiffusionPipeline")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("diffusers:x,steps=0", "from 1 on"),
        ("diffusers:x,guidance=strong", "strong"),
        ("diffusers:x,dtype=float61", "float16"),
        ("diffusers:x,prompts=nowhere.txt", "neither a template"),
        ("diffusers:x,size=3", "no option size"),
    ],
)
def test_impossible_options_are_answered_before_anything_is_loaded(name: str, words: str) -> None:
    with pytest.raises(GevaldiError, match=words):
        load_generator(name)


def test_a_template_is_filled_with_the_names_of_imagenets_classes() -> None:
    found = prompts_of("a sketch, of {}")
    assert len(found) == 1000
    assert found[10] == (gevaldi.Label("brambling", WNIDS[0]), "a sketch, of brambling")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (b"", "holds no prompts"),
        (b"a cat\n\t a dog\n", "line 2"),
        (b"n01530575\t\n", "line 1"),
        (b"n99999999\ta dog\n", "n99999999 is no WordNet id"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
)
def test_a_file_that_holds_no_prompts_is_answered_with_the_line(tmp_path: Path, lines: bytes, words: str) -> None:
    (tmp_path / "prompts.txt").write_bytes(lines)
    with pytest.raises(DataError, match=words):
        prompts_of(str(tmp_path / "prompts.txt"))


@slow
def test_calls_of_pipelines_are_wrapped_by_nothing_but_what_turns_gradients_off() -> None:
    import diffusers

    from gevaldi.generators.diffusers import KINDS

    for kind in KINDS:
        call = getattr(diffusers, kind).__call__
        assert inspect.unwrap(call) is call.__wrapped__
