"""Train a model on the diabetes data of scikit-learn; write model.joblib for MLServer and train.csv for Pilotfish."""

import joblib
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor

data = load_diabetes(as_frame=True)
model = GradientBoostingRegressor(random_state=0).fit(data.data.to_numpy(), data.target)
joblib.dump(model, "model.joblib")
data.data.assign(progression=model.predict(data.data.to_numpy())).round(5).to_csv("train.csv", index=False)
