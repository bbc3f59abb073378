"""Asks a running server over gRPC, which spares JSON: best for vectors and many texts.

pip install grpcio && pip install --no-deps tensorflow-serving-api
python client_grpc.py embedder "Where is my parcel?" "Track a delivery"
"""

import argparse

import tensorflow as tf


def request_of(model, inputs, signature="serving_default"):
    """A `PredictRequest`.

    Args:
        model: str. The model's name in models.config.
        inputs: dict of input name to a list with one item for each example.
        signature: str.
    """
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, column in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(column))
    return request


def ask(host, request, timeout=10.0):
    """The outputs of a model: name -> array."""
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    with grpc.insecure_channel(host) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout)
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def main(arguments):
    request = request_of(arguments.model, {"text": arguments.texts})
    for name, array in ask(arguments.host, request).items():
        print(name, array.shape)
        print(array)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="the model's name in models.config")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--host", default="localhost:8500")
    return parser.parse_args()


if __name__ == "__main__":
    main(parse())
