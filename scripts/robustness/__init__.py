"""How far may images differ from those that a model was trained on?"""
