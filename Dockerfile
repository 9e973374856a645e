# GeValDi on the CPU, run by a user without rights. docs/scale.md says how to build and use the image.
FROM python:3.13-slim AS python

FROM python AS dependencies
# Who runs the image cannot write bytecode: left to that, every start compiles torch again.
ENV VIRTUAL_ENV=/opt/gevaldi UV_COMPILE_BYTECODE=1 UV_NO_CACHE=1
WORKDIR /source
COPY pyproject.toml constraints.txt ./
RUN pip install --no-cache-dir --root-user-action ignore -c constraints.txt uv && uv venv $VIRTUAL_ENV
# More extras, such as timm,onnx; and cpu, to take torch from PyTorch's own index, without what only GPUs need.
ARG EXTRAS
ARG UV_TORCH_BACKEND
RUN uv pip install -c constraints.txt -r pyproject.toml $(IFS=,; printf ' --extra %s' web $EXTRAS)

FROM dependencies AS package
COPY README.md LICENSE ./
COPY src src
RUN uv pip install --no-deps -b constraints.txt --prefix /package .

FROM python
LABEL org.opencontainers.image.title="GeValDi" \
      org.opencontainers.image.description="Where two classifiers differ, how often, and which one should be deployed" \
      org.opencontainers.image.licenses="MIT AND CC-BY-SA-3.0 AND CC-BY-SA-4.0 AND LicenseRef-WordNet"
# Everybody may write to both folders, since --user takes numbers that the image does not know.
RUN useradd --create-home gevaldi && chmod 1777 /home/gevaldi && mkdir -m 1777 /workspace
# Two layers: a change of the source leaves the large one as it is.
COPY --from=dependencies /opt/gevaldi /opt/gevaldi
COPY --from=package /package /opt/gevaldi
# Such a number has neither a home nor a name but these.
ENV PATH=/opt/gevaldi/bin:$PATH HOME=/home/gevaldi USER=gevaldi
USER gevaldi
WORKDIR /workspace
EXPOSE 8765
ENTRYPOINT ["gevaldi"]
CMD ["demo"]
